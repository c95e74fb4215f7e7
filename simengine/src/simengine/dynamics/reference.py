"""Reference profiles of batches of plans."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.dynamics.profiles import fit_curvatures, fit_speeds, speed_factor
from simengine.dynamics.rules import NAVSIM_V1, TrackerRules
from simengine.dynamics.tracker import HORIZON
from simengine.rows import for_rows


@dataclass(frozen=True)
class ReferenceProfile:
    """What the tracker wants to know of B planned paths; it does not depend on where the paths start.

    Attributes:
        speeds: (B, M) speed on each of the M intervals between poses [m/s].
        curvatures: (B, M + HORIZON - 1) curvature on each interval [1/m]; the last one is repeated, so that every
            look-ahead is whole.
    """

    speeds: np.ndarray
    curvatures: np.ndarray


def reference_profile(
    poses: np.ndarray, dt: float, rules: TrackerRules = NAVSIM_V1, threads: int | None = None
) -> ReferenceProfile:
    """Return speeds and curvatures of `poses` (B, M + 1, 3), fitted as NAVSIM's tracker does.

    Args:
        poses: x, y, yaw of the rear axle, `dt` apart, in any frame.
        dt: [s].
        rules: whether the speed fit penalises jerk.
        threads: at most this many, by default one per core; the result is the same.
    """
    poses = np.require(poses, np.float64, ["C", "W"])
    count, intervals = poses.shape[0], poses.shape[1] - 1
    factor = speed_factor(intervals, dt, rules.jerk_penalty)
    speeds = np.empty((count, intervals))
    curvatures = np.empty((count, intervals + HORIZON - 1))
    for_rows(lambda *rows: _fit(*rows, poses, factor, dt, speeds, curvatures), count, threads)
    return ReferenceProfile(speeds, curvatures)


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(first, last, poses, factor, dt, speeds, curvatures):  # type: ignore[no-untyped-def]
    pivots = np.empty(speeds.shape[1])
    for b in range(first, last):
        fit_speeds(poses[b], factor, dt, speeds[b])
        fit_curvatures(poses[b], speeds[b], dt, pivots, curvatures[b])
