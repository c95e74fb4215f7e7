"""History comfort (HC): the six comfort checks on the logged past and the scored states as one series."""

from __future__ import annotations

import numpy as np

from simengine.metrics.epdms.filters import smooth
from simengine.metrics.epdms.motion import acceleration_at_center, motion
from simengine.metrics.pdm.comfort import BOUNDS, Comfort, judge
from simengine.metrics.pdm.parameters import ComfortRules
from simengine.rows import for_rows


def history_comfort(
    states: np.ndarray,
    past: np.ndarray,
    *,
    rear_axle_to_center: float,
    dt: float,
    rules: ComfortRules,
    threads: int | None = None,
) -> Comfort:
    """Return the comfort of each state sequence continued from the past; its series have H + S samples.

    Args:
        states: (P, S, 11) rear-axle states.
        past: (H, 11) states that lead up to the first of them, `dt` apart.
        rear_axle_to_center: lever at which accelerations are judged [m].
        dt: time between states [s].
        rules: windows and inputs.
        threads: see `for_rows`.
    """
    series = np.empty((len(states), len(BOUNDS), len(past) + states.shape[1]))

    def work(a: int, b: int) -> None:
        series[a:b] = _series(states[a:b], past, rear_axle_to_center, dt, rules)

    for_rows(work, len(states), threads)
    return judge(series)


def _series(
    states: np.ndarray, past: np.ndarray, rear_axle_to_center: float, dt: float, rules: ComfortRules
) -> np.ndarray:
    """Return the smoothed series (P, 6, H + S) in the order of `BOUNDS`."""
    moved = motion(states, past)
    lon, lat = acceleration_at_center(moved, rear_axle_to_center, rules, dt)
    before, window = rules.presmoothing_window, rules.jerk_window
    lon_jerk = smooth(smooth(lon, before, 2), window, 2, 1, dt)
    if rules.centripetal:
        jerk = np.hypot(lon_jerk, smooth(smooth(lat, before, 2), window, 2, 1, dt))
    else:
        # NAVSIM takes the magnitude at the rear axle, and everything else at the centre.
        size = np.hypot(moved.longitudinal, moved.lateral)
        jerk = smooth(smooth(size, before, 2), window, 2, 1, dt)
    return np.stack(
        [
            smooth(lon, rules.acceleration_window, 2),
            smooth(lat, rules.acceleration_window, 2),
            jerk,
            lon_jerk,
            smooth(moved.heading, rules.yaw_window, 3, 2, dt),
            smooth(moved.heading, rules.yaw_window, 2, 1, dt),
        ],
        axis=1,
    )
