"""From a plan to the episode of a car that tracks it among logged traffic."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.observation import DrivingCommand
from simengine.datatypes.plan import Plan
from simengine.datatypes.record import RolloutRecord
from simengine.dynamics.proposals import reference_poses
from simengine.dynamics.rules import TrackerRules
from simengine.dynamics.simulate import simulate
from simengine.errors import ScenarioFormatError
from simengine.metrics.epdms.route_lights import lights_at
from simengine.metrics.pdm.from_scenario import initial_state, logged_future
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.scenario.scenario import Scenario

PROTOCOL = "open_loop"
STEP = 0.1
HORIZON = 4.0
STEPS = 40


def open_loop_record(
    scenario: Scenario, plan: Plan, parameters: PdmParameters, observed: float = 5.0
) -> RolloutRecord:
    """Return the episode (41 states, 0.1 s apart) of a car that tracks `plan` from the first decision on.

    Args:
        scenario: at any rate; nothing in it reacts.
        plan: at any rate; held at its last pose if it is shorter than 4 s, cut if it is longer.
        parameters: of the scoring mode; they decide how the car tracks.
        observed: how much of the traffic to keep [s], 5 s with the look-ahead of NAVSIM v1.

    Raises:
        ScenarioFormatError: the log ends within 4 s.
    """
    frame = scenario.initial_frame
    start = int(scenario.timestamps_us[frame])
    tracks = logged_tracks(scenario, observed, parameters.lone_detections_vanish)
    times = np.round(1e6 * STEP * np.arange(tracks.num_frames)).astype(np.int64)
    return RolloutRecord(
        token=scenario.token,
        protocol=PROTOCOL,
        traffic="NR",
        seed=0,
        dt=STEP,
        timestamps_us=start + times[: STEPS + 1],
        ego_states=tracked(scenario, plan, parameters),
        agents=tracks,
        lights=lights_at(scenario, frame, 1e-6 * times),
        decision_frames=np.zeros(1, np.int64),
        plans=plan.poses[None],
        plan_dt=plan.dt,
        plan_indices=np.full(1, -1),
        commands=np.full(1, DrivingCommand.UNKNOWN, np.int8),
    )


def tracked(scenario: Scenario, plan: Plan, parameters: PdmParameters) -> np.ndarray:
    """Return the states (41, 11) of a car that tracks `plan` from the logged state of the first decision."""
    frame = scenario.initial_frame
    start = initial_state(scenario, frame, parameters)
    time_us = int(scenario.timestamps_us[frame])
    poses = reference_poses(plan.poses[None], plan.dt, start[:3], time_us, steps=STEPS, step=STEP)
    rules = TrackerRules(parameters.jerk_penalty, parameters.steering_from_yaw_rate)
    return simulate(start, poses, scenario.vehicle, STEP, rules=rules)[0]


def logged_tracks(scenario: Scenario, seconds: float, lone_detections_vanish: bool = False) -> AgentTracks:
    """Return the logged tracks from the first decision on, see `logged_future`.

    Raises:
        ScenarioFormatError: the log ends within 4 s.
    """
    left = min((scenario.num_frames - 1 - scenario.initial_frame) * scenario.dt, seconds)
    if left < HORIZON - 1e-6:
        raise ScenarioFormatError(
            f"scenario {scenario.token} has {left:.1f} s of log after its decision, expected at least "
            f"{HORIZON:.0f} s to score a plan: leave it out"
        )
    return logged_future(scenario, seconds, STEP, lone_detections_vanish)
