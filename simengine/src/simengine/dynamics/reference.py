"""Speed and curvature of a planned path, fitted by regularised least squares.

Source: the tracker of nuPlan and NAVSIM v1.1. Its regulariser of the speed fit is meant to penalise
jerk, but the published matrix keeps only the diagonal, so that it penalises acceleration; scores
depend on it, so we keep it.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from simengine.geometry.angles import wrap

JERK_PENALTY = 1e-4
CURVATURE_RATE_PENALTY = 1e-2
INITIAL_CURVATURE_PENALTY = 1e-10


def speed_profile(poses: np.ndarray, dt: float) -> np.ndarray:
    """Return the speed (B, M) [m/s] on each of the M intervals of `poses` (B, M + 1, 3)."""
    batch, count = poses.shape[0], poses.shape[1] - 1
    step = np.diff(poses[..., :2], axis=1).reshape(batch, 2 * count)
    direction = np.stack([np.cos(poses[:, :-1, 2]), np.sin(poses[:, :-1, 2])], axis=-1)
    basis = np.tril(np.full((count, count), dt * dt), 0)
    basis[:, 0] = dt
    basis[0, 1:] = 0.0
    penalty = _penalty(count)
    speeds = np.empty((batch, count))
    for b in range(batch):
        matrix = (direction[b][:, :, None] * basis[:, None, :]).reshape(2 * count, count)
        solution = _solve(matrix.T @ matrix + penalty, matrix.T @ step[b])
        speeds[b] = solution[0] + np.concatenate([[0.0], np.cumsum(solution[1:]) * dt])
    return speeds


def curvature_profile(poses: np.ndarray, speeds: np.ndarray, dt: float) -> np.ndarray:
    """Return the curvature (B, M) [1/m] on each interval of `poses` (B, M + 1, 3) driven at `speeds`."""
    batch, count = speeds.shape
    turn = wrap(np.diff(poses[..., 2], axis=1))
    penalty = np.diag([INITIAL_CURVATURE_PENALTY] + [CURVATURE_RATE_PENALTY] * (count - 1))
    basis = np.tril(np.full((count, count), dt * dt), 0)
    basis[:, 0] = dt
    basis[0, 1:] = 0.0
    curvatures = np.empty((batch, count))
    for b in range(batch):
        matrix = speeds[b][:, None] * basis
        solution = _solve(matrix.T @ matrix + penalty, matrix.T @ turn[b])
        curvatures[b] = solution[0] + np.concatenate([[0.0], np.cumsum(solution[1:]) * dt])
    return curvatures


def _penalty(count: int) -> np.ndarray:
    """Return the weighted Gram matrix (M, M) of the published regulariser of the speed fit."""
    rows = max(count - 2, 0)
    regulariser = np.zeros((rows, count))
    regulariser[np.arange(rows), np.arange(1, rows + 1)] = -1.0
    if rows:
        regulariser[-1, -1] = 1.0
    return JERK_PENALTY * regulariser.T @ regulariser


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution of a symmetric positive definite system; no pseudo-inverse, so no BLAS luck."""
    return cho_solve(cho_factor(matrix, lower=True), right)
