"""Real spherical harmonics up to degree 3 as used for Gaussian colours: evaluation and rotation."""

from __future__ import annotations

import numpy as np

from simengine.render.sh_turn import turn_bands

C0 = 0.28209479177387814


def basis(directions: np.ndarray, degree: int) -> np.ndarray:
    """Return the basis values (..., (degree + 1)^2) at unit `directions` (..., 3), degree 0 to 3.

    Signs and order are those of Gaussian-splatting files: degree 1 is -y, z, -x.
    """
    x, y, z = np.moveaxis(np.asarray(directions, dtype=np.float64), -1, 0)
    values = [np.full_like(x, C0)]
    if degree >= 1:
        c1 = np.sqrt(3.0 / (4.0 * np.pi))
        values += [-c1 * y, c1 * z, -c1 * x]
    if degree >= 2:
        c2 = np.sqrt(15.0 / (4.0 * np.pi))
        c20 = np.sqrt(5.0 / (16.0 * np.pi))
        values += [
            c2 * x * y,
            -c2 * y * z,
            c20 * (3.0 * z * z - 1.0),
            -c2 * x * z,
            0.5 * c2 * (x * x - y * y),
        ]
    if degree >= 3:
        c30 = np.sqrt(7.0 / (16.0 * np.pi))
        c31 = np.sqrt(21.0 / (32.0 * np.pi))
        c32 = np.sqrt(105.0 / (16.0 * np.pi))
        c33 = np.sqrt(35.0 / (32.0 * np.pi))
        values += [
            -c33 * y * (3.0 * x * x - y * y),
            2.0 * c32 * x * y * z,
            -c31 * y * (5.0 * z * z - 1.0),
            c30 * z * (5.0 * z * z - 3.0),
            -c31 * x * (5.0 * z * z - 1.0),
            c32 * z * (x * x - y * y),
            -c33 * x * (x * x - 3.0 * y * y),
        ]
    return np.stack(values, axis=-1)


def colors(sh: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return colours (N, 3) >= 0 of coefficients (N, K, 3) seen along unit directions (N, 3)."""
    degree = int(np.sqrt(sh.shape[1])) - 1
    return np.maximum(np.einsum("nk,nkc->nc", basis(directions, degree), sh) + 0.5, 0.0)


def from_rgb(rgb: np.ndarray) -> np.ndarray:
    """Return degree-0 coefficients (N, 1, 3) that show `rgb` (N, 3) in [0, 1] from everywhere."""
    return ((np.asarray(rgb, dtype=np.float64) - 0.5) / C0)[:, None, :]


def mirrored(sh: np.ndarray) -> np.ndarray:
    """Return coefficients (N, K, 3) of the same colours mirrored at the plane y = 0: bands odd in y change sign."""
    signs = np.ones(16, np.float32)
    signs[[1, 4, 5, 9, 10, 11]] = -1.0
    return sh * signs[: sh.shape[1], None]


def turned(sh: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Return coefficients (N, K, 3) float32 turned along with a body by `rotation` (3, 3)."""
    degree = int(np.sqrt(sh.shape[1])) - 1
    if degree == 0:
        return sh
    matrix = rotation_matrix(rotation, degree).astype(np.float32)
    return turn_bands(np.ascontiguousarray(sh, np.float32), matrix)


def rotation_matrix(rotation: np.ndarray, degree: int) -> np.ndarray:
    """Return the (K, K) matrix that turns coefficients along with a body by `rotation` (3, 3).

    The turned function at d equals the old one at `rotation.T @ d`. It is found by evaluating the basis on
    fixed directions, which span every band exactly.
    """
    directions = _directions()
    return np.linalg.pinv(basis(directions, degree)) @ basis(directions @ np.asarray(rotation), degree)


def _directions() -> np.ndarray:
    """Return 32 well spread unit vectors (a Fibonacci sphere)."""
    index = np.arange(32) + 0.5
    z = 1.0 - 2.0 * index / 32
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    radius = np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1)
