"""PDM-Closed as the yardstick of progress: what a car would do that tracks its plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.dynamics.proposals import sample_poses, times_us
from simengine.dynamics.simulate import simulate
from simengine.metrics.pdm.from_scenario import Reference, initial_state
from simengine.metrics.pdm.parameters import NAVSIM_V1, WORLDENGINE_V1, PdmParameters
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.parameters import reference_parameters
from simengine.pdm_closed.planner import PdmClosedResult, plan_pdm_closed, tracker_rules
from simengine.scenario.scenario import Scenario

SOURCE = "pdm_closed"


def pdm_closed_reference(
    scenario: Scenario, frame: int | None = None, scoring: PdmParameters = NAVSIM_V1
) -> Reference:
    """Return the drive of PDM-Closed from a logged instant on, with its centre line and route.

    Args:
        scenario: map, route, log.
        frame: where to start, by default at the first decision.
        scoring: the mode that is going to use it; it decides which PDM-Closed drives.

    Raises:
        MapQueryError: the map has no lane of the route; the logged ego can be the reference then.
    """
    frame = scenario.initial_frame if frame is None else frame
    given = PdmClosedInput.from_scenario(scenario, frame)
    published = scoring.mode == WORLDENGINE_V1.mode
    given = replace(given, ego=initial_state(scenario, frame, scoring))
    if published:
        given = replace(given, ego=_without_acceleration(given.ego))
    result = plan_pdm_closed(given, reference_parameters(scoring))
    states = result.states
    if not published:
        states = tracked_states(result, given, int(scenario.timestamps_us[frame]), scoring)
    guidance = result.guidance
    return Reference(states, guidance.centerline, frozenset(guidance.route_lanes), SOURCE)


def tracked_states(
    result: PdmClosedResult, given: PdmClosedInput, time_us: int, scoring: PdmParameters = NAVSIM_V1
) -> np.ndarray:
    """Return the states (41, 11) of a car that tracks the planned poses, read out at NAVSIM's truncated times.

    They differ from `result.states` by what a car drives in a microsecond.

    Args:
        result: the plan.
        given: what it was made from.
        time_us: of the plan, microseconds since 1970.
        scoring: rules of the tracker.
    """
    dt, steps = reference_parameters(scoring).dt, len(result.states) - 1
    knots = time_us + np.round(1e6 * dt * np.arange(len(result.poses))).astype(np.int64)
    poses = sample_poses(knots, result.poses[None], times_us(time_us, dt * np.arange(steps + 1)))
    return simulate(given.ego, poses, given.vehicle, dt, rules=tracker_rules(scoring))[0]


def _without_acceleration(ego: np.ndarray) -> np.ndarray:
    ego = ego.copy()
    ego[[StateIndex.ACCELERATION_X, StateIndex.ACCELERATION_Y]] = 0.0
    return ego
