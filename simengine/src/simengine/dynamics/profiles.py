"""Speed and curvature of a planned path: two regularised least-squares fits, solved by recursion.

Source: the tracker of nuPlan and NAVSIM v1.1, which builds dense matrices and inverts them. In terms of speeds
and curvatures both systems are banded and positive definite; docs/simulation.md derives them. Functions of one
car, see `bind.py`; M is the number of intervals between poses.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy import cos, sin

from simengine.dynamics.scalars import wrap

SPEED_PENALTY = 1e-4
CURVATURE_RATE_PENALTY = 1e-2
INITIAL_CURVATURE_PENALTY = 1e-10


@njit(cache=True, nogil=True, error_model="numpy")
def speed_factor(count, dt, jerk_penalty):  # type: ignore[no-untyped-def]
    """Return the factors L, D of the speed fit as rows (3, M): the pivots D, and L one and two below its diagonal.

    The matrix is the identity (the data, divided by dt^2) plus the Gram matrix of the penalty rows. It depends
    on nothing but the number of poses and their spacing.
    """
    weight = SPEED_PENALTY / (dt * dt) ** 2
    factor = np.zeros((3, count))
    pivot, first, second = factor[0], factor[1], factor[2]
    pivot[:] = 1.0
    for row in range(count - 2):
        # Meant is a row of second differences for each jerk. Only the last one survives in the published matrix,
        # whose other rows are first differences: accelerations.
        jerk = jerk_penalty or row == count - 3
        stencil = (1.0, -2.0, 1.0) if jerk else (-1.0, 1.0, 0.0)
        for i in range(3):
            pivot[row + i] += weight * stencil[i] * stencil[i]
        first[row + 1] += weight * stencil[0] * stencil[1]
        first[row + 2] += weight * stencil[1] * stencil[2]
        second[row + 2] += weight * stencil[0] * stencil[2]
    for i in range(count):
        if i >= 2:
            first[i] -= second[i] * first[i - 1]
            second[i] /= pivot[i - 2]
            pivot[i] -= second[i] * second[i] * pivot[i - 2]
        if i >= 1:
            first[i] /= pivot[i - 1]
            pivot[i] -= first[i] * first[i] * pivot[i - 1]
    return factor


@njit(cache=True, nogil=True, error_model="numpy")
def along(poses, i):  # type: ignore[no-untyped-def]
    """Return how far pose i + 1 lies ahead of pose i, along the heading of pose i [m]."""
    return cos(poses[i, 2]) * (poses[i + 1, 0] - poses[i, 0]) + sin(poses[i, 2]) * (
        poses[i + 1, 1] - poses[i, 1]
    )


@njit(cache=True, nogil=True, error_model="numpy")
def fit_speeds(poses, factor, dt, speeds):  # type: ignore[no-untyped-def]
    """Fill `speeds` (M) [m/s], one for each interval of `poses` (M + 1, 3)."""
    count = len(speeds)
    for i in range(count):
        speeds[i] = along(poses, i) / dt
    for i in range(1, count):
        speeds[i] -= factor[1, i] * speeds[i - 1]
        if i >= 2:
            speeds[i] -= factor[2, i] * speeds[i - 2]
    for i in range(count):
        speeds[i] /= factor[0, i]
    for i in range(count - 2, -1, -1):
        speeds[i] -= factor[1, i + 1] * speeds[i + 1]
        if i + 2 < count:
            speeds[i] -= factor[2, i + 2] * speeds[i + 2]


@njit(cache=True, nogil=True, error_model="numpy")
def fit_curvatures(poses, speeds, dt, pivots, curvatures):  # type: ignore[no-untyped-def]
    """Fill `curvatures` [1/m], one for each interval of `poses` (M + 1, 3); `pivots` (M) is scratch space.

    `curvatures` may be longer than M: its last value is repeated.

    The elimination keeps what a pivot exceeds its coupling `link` to the next unknown by. All terms of that
    recursion are positive, so nothing cancels and standing cars (speeds near zero) lose no digits.
    """
    count = len(speeds)
    link = CURVATURE_RATE_PENALTY / (dt * dt)
    for i in range(count):
        distance = speeds[i] * dt
        right = distance * wrap(poses[i + 1, 2] - poses[i, 2])
        if i == 0:
            excess = distance * distance + INITIAL_CURVATURE_PENALTY
            carried = right
        else:
            share = link / (excess + link)
            excess = distance * distance + share * excess
            carried = right + share * carried
        pivots[i] = excess + link
        curvatures[i] = carried
    curvatures[count - 1] = carried / excess
    for i in range(count - 2, -1, -1):
        curvatures[i] = (curvatures[i] + link * curvatures[i + 1]) / pivots[i]
    for i in range(count, len(curvatures)):
        curvatures[i] = curvatures[count - 1]
