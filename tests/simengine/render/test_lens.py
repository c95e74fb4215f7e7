from __future__ import annotations

import numpy as np
import pytest

from simengine.render.lens import Lens
from simengine.render.rig import DISTORTION

FULL = (-0.2, 0.08, 0.002, -0.001, -0.01, 0.05, 0.02, 0.003, 0.001, -0.0005, 0.0008, 0.0002)


def test_radial_distortion_by_hand():
    # r^2 = 0.25, so k1 = -0.2 shrinks the point by 1 - 0.05.
    np.testing.assert_allclose(
        Lens.from_opencv([-0.2, 0, 0, 0, 0]).distort(np.array([0.5, 0.0])), [0.475, 0.0]
    )


def test_every_coefficient_by_hand():
    x, y, r2 = 0.3, -0.4, 0.25
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = FULL
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    expected = [
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + s1 * r2 + s2 * r2**2,
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + s3 * r2 + s4 * r2**2,
    ]
    np.testing.assert_allclose(Lens.from_opencv(FULL).distort(np.array([x, y])), expected, rtol=1e-12)


@pytest.mark.parametrize("coefficients", [DISTORTION, FULL[:8], FULL, (0.2, 0.1, 0.001, 0, 0)])
def test_undistort_inverts_distort(coefficients):
    lens = Lens.from_opencv(coefficients)
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (200, 2))
    np.testing.assert_allclose(lens.undistort(lens.distort(points)), points, atol=1e-9)


def test_fold_of_one_coefficient_by_hand():
    # r (1 - 0.3 r^2) is largest where 1 = 0.9 r^2, and two thirds of that r.
    lens = Lens.from_opencv([-0.3, 0, 0, 0, 0])
    assert lens.fold_radius == pytest.approx(np.sqrt(1 / 0.9))
    largest = lens.fold_radius * 2 / 3
    inside, outside = np.array([largest - 1e-3, 0.0]), np.array([0.0, largest + 1e-3])
    assert np.isfinite(lens.undistort(inside)).all() and np.isnan(lens.undistort(outside)).all()


@pytest.mark.parametrize("coefficients", [(0.3, 0, 0, 0, 0), (0, 0, 0.001, 0, 0), (-0.2, 0.1, 0, 0, 0)])
def test_lenses_that_never_turn_back(coefficients):
    assert Lens.from_opencv(coefficients).fold_radius == np.inf


def test_fold_is_where_the_image_point_stops_moving_out():
    for coefficients in (DISTORTION, FULL, (-0.5, 0.1, 0, 0, 0)):
        lens = Lens.from_opencv(coefficients)
        if not np.isfinite(lens.fold_radius):
            continue
        radius = np.array(
            [[lens.fold_radius - 1e-4, 0.0], [lens.fold_radius, 0.0], [lens.fold_radius + 1e-4, 0.0]]
        )
        below, at, above = radius[:, 0] * lens.radial_factor(radius)
        assert at >= below and at >= above


@pytest.mark.parametrize("coefficients", [DISTORTION, FULL, (0.3, 0.1, 0.01, 0.01, 0.0), (-0.3, 0, 0, 0, 0)])
def test_stretch_bounds_the_slope_of_the_lens(coefficients):
    lens = Lens.from_opencv(coefficients)
    reach = 0.8
    points = np.random.default_rng(1).uniform(-1.5, 1.5, (4000, 2))
    radius = np.hypot(*points.T)
    points = points[(radius < lens.fold_radius) & (np.hypot(*lens.distort(points).T) < 0.97 * reach)]
    step = 1e-6
    columns = [(lens.distort(points + d) - lens.distort(points)) / step for d in ([step, 0.0], [0.0, step])]
    slopes = np.linalg.norm(np.stack(columns, axis=-1), ord=2, axis=(1, 2))
    assert slopes.max() <= lens.stretch(reach) * 1.01
