"""Velocities and accelerations of logged poses, by smoothed differences."""

from __future__ import annotations

import numpy as np
from scipy.signal import savgol_filter

from simengine.datatypes.ego import EgoTrack
from simengine.geometry.se2 import rotate

SMOOTHING = 0.9
"""Length of the fitting window [s]: logs carry jitter of several cm from frame to frame."""


def derivative(values: np.ndarray, dt: float, smoothing: float = SMOOTHING) -> np.ndarray:
    """Return the time derivative of values (T, D): the slope of a parabola fitted around each frame.

    Args:
        values: samples (T, D) at a fixed rate.
        dt: time between samples [s].
        smoothing: length of the window [s]; at least three samples are used where there are three.
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    if count < 2:
        return np.zeros_like(values)
    if count == 2:
        return np.repeat((values[1:] - values[:1]) / dt, 2, axis=0)
    window = max(3, 2 * round(0.5 * smoothing / dt) + 1)
    window = min(window, count if count % 2 else count - 1)
    return savgol_filter(values, window, polyorder=2, deriv=1, delta=dt, axis=0, mode="interp")


def masked_derivative(values: np.ndarray, valid: np.ndarray, dt: float) -> np.ndarray:
    """Return `derivative` of values (T, D) within each run of `valid` (T,) frames, zeros elsewhere."""
    result = np.zeros_like(np.asarray(values, np.float64))
    for first, stop in valid_runs(valid):
        result[first:stop] = derivative(values[first:stop], dt)
    return result


def valid_runs(valid: np.ndarray) -> list[tuple[int, int]]:
    """Return the runs [first, stop) of true entries of `valid` (T,)."""
    edges = np.flatnonzero(
        np.diff(np.concatenate([[False], np.asarray(valid, bool), [False]]).astype(np.int8))
    )
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def ego_track(pose: np.ndarray, dt: float) -> EgoTrack:
    """Return the ego track of rear-axle poses (T, 3) with velocity and acceleration from differences."""
    velocity_world = derivative(pose[:, :2], dt)
    acceleration_world = derivative(velocity_world, dt)
    return EgoTrack(pose, rotate(velocity_world, -pose[:, 2]), rotate(acceleration_world, -pose[:, 2]))
