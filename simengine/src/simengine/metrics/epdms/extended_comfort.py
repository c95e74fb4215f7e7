"""Two-frame extended comfort (EC): 1 if the plans of two frames 0.5 s apart feel alike where they overlap."""

from __future__ import annotations

import numpy as np

from simengine.metrics.epdms.filters import smooth
from simengine.metrics.epdms.motion import acceleration_at_center, motion
from simengine.metrics.epdms.parameters import EpdmsParameters
from simengine.rows import for_rows


def overlap_shift(elapsed: float, dt: float, parameters: EpdmsParameters) -> int | None:
    """Return by how many states two frames `elapsed` [s] apart are shifted, None if they are no pair."""
    shift = round(elapsed / dt)
    return shift if 0.0 < elapsed < parameters.longest_pair_time and shift > 0 else None


def extended_comfort(
    current: np.ndarray,
    previous: np.ndarray,
    shift: int,
    *,
    rear_axle_to_center: float,
    dt: float,
    parameters: EpdmsParameters,
    threads: int | None = None,
) -> np.ndarray:
    """Return EC (P,): whether four filtered series differ little between two frames.

    Args:
        current: (P, S, 11) states simulated from the plans of the current frame.
        previous: (P, S, 11), the same for the frame before, or (S, 11) where all share one.
        shift: state s of the current frame meets state s + shift of the one before; less than S.
        rear_axle_to_center: lever at which accelerations are judged where rules ask for it [m].
        dt: time between states [s].
        parameters: limits and filters.
        threads: see `for_rows`.
    """
    previous = np.broadcast_to(previous, current.shape)
    limits = (
        parameters.acceleration_difference,
        parameters.jerk_difference,
        parameters.yaw_rate_difference,
        parameters.yaw_acceleration_difference,
    )
    alike = np.ones(len(current))

    def work(a: int, b: int) -> None:
        now = _series(current[a:b, :-shift], rear_axle_to_center, dt, parameters)
        before = _series(previous[a:b, shift:], rear_axle_to_center, dt, parameters)
        for ours, theirs, limit in zip(now, before, limits, strict=True):
            # A running sum has one order of summation on every processor.
            squares = np.cumsum((ours - theirs) ** 2, axis=1)[:, -1]
            alike[a:b] *= np.sqrt(squares / ours.shape[1]) <= limit

    for_rows(work, len(current), threads)
    return alike


def _series(
    states: np.ndarray, rear_axle_to_center: float, dt: float, parameters: EpdmsParameters
) -> list[np.ndarray]:
    """Return acceleration, jerk, yaw rate and yaw acceleration (P, T) of states (P, T, 11)."""
    rules, moved = parameters.extended, motion(states)
    lon, lat = moved.longitudinal, moved.lateral
    if rules.centripetal:
        lon, lat = acceleration_at_center(moved, rear_axle_to_center, rules, dt)
    size = np.hypot(lon, lat)
    return [
        smooth(size, rules.acceleration_window, 2),
        smooth(smooth(size, rules.presmoothing_window, 2), rules.jerk_window, 2, 1, dt),
        smooth(moved.heading, rules.yaw_window, 2, 1, dt),
        smooth(moved.heading, rules.yaw_window, 2, 2, dt),
    ]
