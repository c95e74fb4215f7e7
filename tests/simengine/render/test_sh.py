from __future__ import annotations

import numpy as np
import pytest

from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render import sh


def random_directions(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_basis_is_orthonormal():
    # Gauss-Legendre in z times equal steps in azimuth integrates polynomials of this degree exactly.
    z, weight = np.polynomial.legendre.leggauss(8)
    azimuth = 2 * np.pi * np.arange(16) / 16
    zz, aa = np.meshgrid(z, azimuth, indexing="ij")
    radius = np.sqrt(1 - zz**2)
    values = sh.basis(np.stack([radius * np.cos(aa), radius * np.sin(aa), zz], axis=-1), 3)
    gram = np.einsum("ij,ijk,ijl->kl", np.repeat(weight[:, None], 16, 1) * 2 * np.pi / 16, values, values)
    np.testing.assert_allclose(gram, np.eye(16), atol=1e-12)


def test_degree_one_has_the_signs_of_splatting_files():
    c1 = np.sqrt(3 / (4 * np.pi))
    np.testing.assert_allclose(sh.basis(np.array([0.0, 1.0, 0.0]), 1)[1:], [-c1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(sh.basis(np.array([0.0, 0.0, 1.0]), 1)[1:], [0, c1, 0], atol=1e-12)
    np.testing.assert_allclose(sh.basis(np.array([1.0, 0.0, 0.0]), 1)[1:], [0, 0, -c1], atol=1e-12)


def test_from_rgb_shows_that_colour_from_everywhere():
    rgb = np.random.default_rng(1).random((5, 3))
    np.testing.assert_allclose(sh.colors(sh.from_rgb(rgb), random_directions(5)), rgb, atol=1e-12)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_turned_colours_equal_old_colours_seen_from_turned_directions(degree):
    rng = np.random.default_rng(degree)
    rotation = rotation_from_quaternion(rng.normal(size=4))
    coefficients = rng.normal(size=((degree + 1) ** 2, 3))
    directions = random_directions(50)
    turned = sh.rotation_matrix(rotation, degree) @ coefficients
    np.testing.assert_allclose(
        sh.basis(directions, degree) @ turned,
        sh.basis(directions @ rotation, degree) @ coefficients,
        atol=1e-10,
    )


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_turning_many_is_the_product_with_the_matrix(degree):
    rng = np.random.default_rng(degree)
    rotation = rotation_from_quaternion(rng.normal(size=4))
    coefficients = rng.normal(size=(40, (degree + 1) ** 2, 3)).astype(np.float32)
    expected = np.einsum("kj,njc->nkc", sh.rotation_matrix(rotation, degree), coefficients)
    turned = sh.turned(coefficients, rotation)
    assert turned.dtype == np.float32
    np.testing.assert_allclose(turned, expected, atol=1e-5)
    np.testing.assert_allclose(sh.turned(turned, rotation.T), coefficients, atol=1e-5)


def test_mirrored_colours_are_seen_from_mirrored_directions():
    coefficients = np.random.default_rng(0).normal(size=(1, 16, 3))
    directions = random_directions(30)
    seen = sh.basis(directions * [1, -1, 1], 3) @ sh.mirrored(coefficients)[0]
    np.testing.assert_allclose(seen, sh.basis(directions, 3) @ coefficients[0], atol=1e-10)
