"""The logged past as states that lead up to the scored ones."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.metrics.epdms.parameters import EpdmsParameters
from simengine.scenario.scenario import Scenario

LONGEST = 1.5
KNOT = 0.5


def past_states(
    times_us: np.ndarray, knots: np.ndarray, parameters: EpdmsParameters, step_us: int = 100_000
) -> np.ndarray:
    """Return states (H, 11) from the first knot on, `step_us` apart, that end before the last knot.

    Everything is linear between knots, headings by the shorter way. NAVSIM v2.2 counts from the oldest knot and drops
    the last sample before the present, which leaves a gap of up to two steps; with `whole_past` samples
    count back from the present and end one step before it.

    Args:
        times_us: (K,) int64, rising; the last is the time of state 0.
        knots: (K, 11) logged states at these times.
        parameters: whether the past is whole.
        step_us: time between states [us].
    """
    if len(times_us) < 2:
        return np.zeros((0, STATE_SIZE))
    # Times before the present are small, so that nothing is lost in the floating-point interpolation.
    since = np.asarray(times_us, dtype=np.int64) - int(times_us[-1])
    if parameters.whole_past:
        at = np.arange(-int(-since[0] // step_us), 0) * step_us
    else:
        at = np.arange(since[0], 0, step_us)[:-1]
    columns = np.array(knots, dtype=np.float64)
    columns[:, StateIndex.HEADING] = np.unwrap(columns[:, StateIndex.HEADING])
    return np.stack([np.interp(at, since, column) for column in columns.T], axis=1)


def logged_past(scenario: Scenario, frame: int, dt: float, parameters: EpdmsParameters) -> np.ndarray:
    """Return the states (H, 11) of the logged ego in the 1.5 s before `frame`, `dt` [s] apart.

    NAVSIM knows the past at 2 Hz; only with `whole_past` every logged frame counts.
    """
    stride = 1 if parameters.whole_past else max(1, round(KNOT / scenario.dt))
    frames = np.arange(frame % stride, frame + 1, stride)
    since = (scenario.timestamps_us[frames] - scenario.timestamps_us[frame]) * 1e-6
    frames = frames[since >= -LONGEST - 0.5 * scenario.dt]
    ego, knots = scenario.ego, np.zeros((len(frames), STATE_SIZE))
    knots[:, :7] = np.hstack([ego.pose[frames], ego.velocity[frames], ego.acceleration[frames]])
    return past_states(scenario.timestamps_us[frames], knots, parameters, round(dt * 1e6))
