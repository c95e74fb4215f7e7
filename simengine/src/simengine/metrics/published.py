"""An episode as the published closed-loop score sees it: nine states, half a second apart, poses and little else.

The facts are those of WorldEngine's metric manager.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ScenarioFormatError
from simengine.metrics.pdm.from_scenario import Reference, logged_states, scene_of
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.published_route import published_route
from simengine.scenario.scenario import Scenario

STEP = 0.5
"""Time between the states that are scored [s]."""


def published_episode(
    record: RolloutRecord, scenario: Scenario, parameters: PdmParameters
) -> tuple[np.ndarray, PdmScene]:
    """Return the states (2, S, 11) of expert and ego and the scene they are scored in.

    Raises:
        ScenarioFormatError: the frames of the record do not fall on half seconds, or the log ends before it.
    """
    stride = round(STEP / record.dt)
    if stride < 1 or abs(stride * record.dt - STEP) > 1e-6:
        raise ScenarioFormatError(
            f"record {record.token} has frames {record.dt} s apart, expected a whole number of them in {STEP} s: "
            "score it with another metric"
        )
    ego = _executed(record.ego_states[::stride], scenario.vehicle.rear_axle_to_center)
    expert = _expert(scenario, ego)
    reference = Reference(expert, expert[:, :3], published_route(record, scenario), "logged_ego")
    tracks = record.agents.at_frames(np.arange(len(ego)) * stride)
    return np.stack([expert, ego]), scene_of(scenario, tracks, ego[0], reference, STEP, parameters)


def _executed(states: np.ndarray, rear_axle_to_center: float) -> np.ndarray:
    """Return executed states with the velocity of the box centre and no accelerations, steering or yaw terms."""
    bare = np.zeros_like(states)
    bare[:, :4] = states[:, :4]
    turning = states[:, StateIndex.ANGULAR_VELOCITY] * rear_axle_to_center
    bare[:, StateIndex.VELOCITY_Y] = states[:, StateIndex.VELOCITY_Y] + turning
    return bare


def _expert(scenario: Scenario, ego: np.ndarray) -> np.ndarray:
    """Return the logged drive moved to where the ego starts; only its first state has a speed."""
    logged = logged_states(scenario, scenario.initial_frame, STEP * np.arange(len(ego)))
    if len(logged) < len(ego):
        raise ScenarioFormatError(
            f"scenario {scenario.token} has {len(logged)} logged states {STEP} s apart, expected {len(ego)}: score it "
            "with another metric"
        )
    expert = np.zeros((len(ego), STATE_SIZE))
    expert[:, :2] = logged[:, :2] - logged[0, :2] + ego[0, :2]
    expert[:, StateIndex.HEADING] = logged[:, StateIndex.HEADING]
    expert[0, 3:5] = ego[0, 3:5]
    return expert
