"""The logged driver as one more proposal: what the human filter compares with."""

from __future__ import annotations

import numpy as np

from simengine.dynamics.rules import TrackerRules
from simengine.dynamics.simulate import simulate
from simengine.geometry import angles
from simengine.metrics.epdms.parameters import EpdmsParameters
from simengine.metrics.pdm.from_scenario import initial_state
from simengine.scenario.scenario import Scenario

KNOT = 0.5


def human_drive(
    scenario: Scenario, frame: int, times: np.ndarray, parameters: EpdmsParameters
) -> np.ndarray | None:
    """Return the states (S, 11) of a car that tracks the logged future, None where the log ends before.

    Like a submitted plan the future is a pose every 0.5 s, linear between.

    Args:
        scenario: its logged ego.
        frame: where the future starts.
        times: (S,) of the states since then [s], evenly spaced.
        parameters: rules of the tracker.
    """
    start = initial_state(scenario, frame, parameters.pdm)
    known = (scenario.timestamps_us - scenario.timestamps_us[frame]) * 1e-6
    if known[-1] < times[-1] - 0.5 * scenario.dt:
        return None
    knots = np.append(np.arange(0.0, times[-1] - 1e-6, KNOT), times[-1])
    poses = _sampled(times, knots, _sampled(knots, known, scenario.ego.pose))
    rules = TrackerRules(parameters.pdm.jerk_penalty, parameters.pdm.steering_from_yaw_rate)
    return simulate(start, poses[None], scenario.vehicle, float(times[1] - times[0]), rules=rules)[0]


def _sampled(times: np.ndarray, knots: np.ndarray, poses: np.ndarray) -> np.ndarray:
    position = [np.interp(times, knots, poses[:, axis]) for axis in range(2)]
    return np.stack([*position, angles.interpolate(times, knots, poses[:, 2])], axis=1)
