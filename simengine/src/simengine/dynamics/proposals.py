"""From submitted poses to the reference that the tracker follows, as NAVSIM v1.1 samples it.

NAVSIM counts time in whole microseconds since 1970 and truncates. At 20 m/s a microsecond is 2e-5 m, which is
more than the agreement we want, so the truncation is kept.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy import arctan2, cos, floor, pi, sin

from simengine.errors import PlanError
from simengine.rows import for_rows


def reference_poses(
    plans: np.ndarray,
    dt: float,
    initial_pose: np.ndarray,
    initial_time_us: int,
    *,
    steps: int = 40,
    step: float = 0.1,
    threads: int | None = None,
) -> np.ndarray:
    """Return the reference (P, steps + 1, 3) in the world frame; its first pose is `initial_pose`.

    A plan that is shorter than the reference is held at its last pose.

    Args:
        plans: (P, N, 3) poses in the frame of `initial_pose`, the first one `dt` after it.
        dt: time between planned poses [s].
        initial_pose: (3,) rear axle x, y, yaw in the world frame.
        initial_time_us: time of the initial pose, microseconds since 1970.
        steps: how many steps of the reference to make.
        step: time between reference poses [s].
        threads: at most this many, by default one per core; the result is the same.

    Raises:
        PlanError: the plans have no poses or the wrong shape, or `dt` is not positive.
    """
    plans = np.require(plans, np.float64, ["C", "W"])
    if plans.ndim != 3 or plans.shape[1] < 1 or plans.shape[2] != 3:
        raise PlanError(
            f"plans have shape {plans.shape}, expected (plans, poses, 3) with at least one pose each"
        )
    if not dt > 0.0:
        raise PlanError(f"plans have dt {dt} s, expected the time between poses to be positive")
    count, poses = plans.shape[:2]
    knots = np.empty((count, poses + 1, 3))
    frame = np.array(initial_pose, np.float64)
    for_rows(lambda *rows: _compose(*rows, frame, plans, knots), count, threads)
    knot_times_us = np.append(initial_time_us, times_us(initial_time_us, np.arange(poses) * dt + dt))
    sample_times_us = times_us(initial_time_us, np.arange(steps + 1) * step)
    return sample_poses(knot_times_us, knots, sample_times_us, threads)


def times_us(initial_time_us: int, seconds: np.ndarray) -> np.ndarray:
    """Return times (K,) in integer microseconds that lie `seconds` (K,) after `initial_time_us`, truncated.

    The sum is made in seconds; for a time since 1970 that costs up to one microsecond.
    """
    return (1e6 * (np.asarray(seconds) + initial_time_us * 1e-6)).astype(np.int64)


def sample_poses(
    knot_times_us: np.ndarray, knots: np.ndarray, sample_times_us: np.ndarray, threads: int | None = None
) -> np.ndarray:
    """Return poses (P, S, 3) at `sample_times_us` (S,), linear in x, y and unwrapped yaw between knots.

    Args:
        knot_times_us: (K,) increasing integers, K >= 2.
        knots: (P, K, 3) x, y, yaw.
        sample_times_us: (S,) integers; before the first and after the last knot, that knot holds.
        threads: at most this many, by default one per core; the result is the same.
    """
    knots = np.require(knots, np.float64, ["C", "W"])
    times = np.clip(sample_times_us, knot_times_us[0], knot_times_us[-1])
    before = np.clip(np.searchsorted(knot_times_us, times), 1, len(knot_times_us) - 1) - 1
    elapsed, span = times - knot_times_us[before], (knot_times_us[before + 1] - knot_times_us[before])
    samples = np.empty((len(knots), len(times), 3))
    for_rows(lambda *rows: _sample(*rows, knots, before, elapsed, span, samples), len(knots), threads)
    return samples


@njit(cache=True, nogil=True, error_model="numpy")
def _compose(first, last, frame, plans, knots):  # type: ignore[no-untyped-def]
    """Fill `knots` (P, N + 1, 3) with `frame` and the plans in its parent, rounded like a product of matrices."""
    c, s = cos(frame[2]), sin(frame[2])
    for p in range(first, last):
        knots[p, 0] = frame
        for i in range(plans.shape[1]):
            x, y, turn_c, turn_s = plans[p, i, 0], plans[p, i, 1], cos(plans[p, i, 2]), sin(plans[p, i, 2])
            knots[p, i + 1, 0] = c * x - s * y + frame[0]
            knots[p, i + 1, 1] = s * x + c * y + frame[1]
            knots[p, i + 1, 2] = arctan2(s * turn_c + c * turn_s, c * turn_c - s * turn_s)


@njit(cache=True, nogil=True, error_model="numpy")
def _sample(first, last, knots, before, elapsed, span, samples):  # type: ignore[no-untyped-def]
    yaw = np.empty(knots.shape[1])
    for p in range(first, last):
        yaw[0], turns = knots[p, 0, 2], 0.0
        for k in range(1, len(yaw)):
            turns += floor((knots[p, k, 2] - knots[p, k - 1, 2] + pi) / (2.0 * pi))
            yaw[k] = knots[p, k, 2] - 2.0 * pi * turns
        for i in range(len(before)):
            k, e, t = before[i], elapsed[i], span[i]
            samples[p, i, 0] = (knots[p, k + 1, 0] - knots[p, k, 0]) / t * e + knots[p, k, 0]
            samples[p, i, 1] = (knots[p, k + 1, 1] - knots[p, k, 1]) / t * e + knots[p, k, 1]
            samples[p, i, 2] = ((yaw[k + 1] - yaw[k]) / t * e + yaw[k] + pi) % (2.0 * pi) - pi
