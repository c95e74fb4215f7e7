"""Shapes of paths: over to another lateral offset, and bent early for a car that steers late."""

from __future__ import annotations

import numpy as np


def settle_curve(
    offset: float, slope: float, curvature: float, target: float, length: float, ahead: np.ndarray
) -> np.ndarray:
    """Return offsets (N,) [m] at distances `ahead` (N,) that go over into `target` within `length` [m].

    A quintic: it starts with the given offset [m], slope and curvature [1/m] and ends straight.
    """
    u = np.clip(ahead / length, 0.0, 1.0)
    a1, a2 = length * slope, 0.5 * length**2 * curvature
    gap, rate, bend = target - offset - a1 - a2, -a1 - 2 * a2, -2 * a2
    a3, a4, a5 = (
        10 * gap - 4 * rate + 0.5 * bend,
        -15 * gap + 7 * rate - bend,
        6 * gap - 3 * rate + 0.5 * bend,
    )
    return offset + u * (a1 + u * (a2 + u * (a3 + u * (a4 + u * a5))))


def turned_in_early(poses: np.ndarray, lead: float) -> np.ndarray:
    """Return path poses (N, 3), equally far apart, bent `lead` metres earlier, from the same start."""
    step = np.hypot(*np.diff(poses[:, :2], axis=0).T)
    index = np.arange(len(poses), dtype=np.float64)
    early = lead / max(float(step[0]), 1e-6)
    yaw = poses[:, 2]
    yaw = np.interp(index + early, index, yaw) - np.interp(early, index, yaw) + yaw[0]
    middle = 0.5 * (yaw[1:] + yaw[:-1])
    return np.column_stack(
        [
            poses[0, 0] + np.append(0.0, np.cumsum(step * np.cos(middle))),
            poses[0, 1] + np.append(0.0, np.cumsum(step * np.sin(middle))),
            yaw,
        ]
    )
