"""What the others are going to do in the simulation, if the ego stays on its plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simengine.agents.traffic import TrafficModel
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.dynamics.tracking import Tracker
from simengine.geometry.se2 import shift_forward
from simengine.scenario.scenario import Scenario


def simulated_tracks(
    scenario: Scenario, traffic: TrafficModel, state: SimState, ego_states: np.ndarray
) -> AgentTracks:
    """Return the tracks (A, F + 1) of all agents at `state` and the F frames after it.

    They are stepped as the simulation steps them; what the log replays is its log.

    Args:
        scenario: at the simulation rate.
        traffic: how the others drive.
        state: the present one.
        ego_states: (F, 11) what the ego does meanwhile, as far as the others react to it.
    """
    frames = [state.agents]
    trail = np.concatenate([state.ego_trail, ego_states])
    for ego in ego_states:
        agents = traffic.step(state)
        frame = state.frame + 1
        state = replace(
            state,
            frame=frame,
            timestamp_us=state.timestamp_us + round(scenario.dt * 1e6),
            ego=ego,
            agents=agents,
            ego_trail=trail[: frame + 1],
        )
        frames.append(agents)
    present = np.stack([agents.present for agents in frames], axis=1)
    pose = np.stack([agents.pose for agents in frames], axis=1)
    velocity = np.stack([agents.velocity for agents in frames], axis=1)
    log, there = scenario.agents, present[..., None]
    return AgentTracks(
        log.ids, log.types, np.where(there, pose, 0.0), np.where(there, velocity, 0.0), log.size, present
    )


def states_on_plan(
    scenario: Scenario, tracker: Tracker, state: SimState, plan: Plan, steps: int
) -> np.ndarray:
    """Return the ego states (steps, 11) after `state` on `plan`, and straight on at constant speed after its end."""
    planned = max(min(int(plan.horizon / scenario.dt + 1e-9), steps), 1)
    driven = tracker.follow(state.ego, plan, scenario.vehicle, scenario.dt, planned)
    beyond = np.zeros((steps - planned, STATE_SIZE))
    beyond[:, 3] = driven[-1, 3]
    ahead = driven[-1, 3] * scenario.dt * np.arange(1, len(beyond) + 1)
    beyond[:, :3] = shift_forward(np.repeat(driven[-1:, :3], len(beyond), axis=0), ahead)
    return np.concatenate([driven, beyond])
