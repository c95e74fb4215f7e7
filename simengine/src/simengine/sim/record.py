"""From the states of an episode to its immutable record."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.plan import Plan
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.state import SimState
from simengine.datatypes.trust import RenderTrust
from simengine.scenario.scenario import Scenario
from simengine.sim.protocol import Protocol


def make_record(
    final: SimState,
    scenario: Scenario,
    protocol: Protocol,
    plans: list[Plan],
    commands: list[int],
    traffic: str,
    seed: int,
    trust: RenderTrust | None = None,
) -> RolloutRecord:
    """Return the record of an episode that ended, look-ahead included, in `final`.

    Args:
        final: state after the look-ahead; its trails hold the whole episode.
        scenario: the scenario at the simulation rate.
        protocol: its rates and lengths.
        plans: one plan per decision.
        commands: the driving command at each decision.
        traffic: `NR` or `R`.
        seed: seed of the episode.
        trust: in the images of each decision, if it was measured.
    """
    start, steps = scenario.initial_frame, protocol.num_steps
    frames = len(final.agent_trail)
    present = np.stack([agents.present for agents in final.agent_trail], axis=1)
    pose = np.stack([agents.pose for agents in final.agent_trail], axis=1)
    velocity = np.stack([agents.velocity for agents in final.agent_trail], axis=1)
    tracks = AgentTracks(
        ids=scenario.agents.ids,
        types=scenario.agents.types,
        pose=np.where(present[..., None], pose, 0.0),
        velocity=np.where(present[..., None], velocity, 0.0),
        size=scenario.agents.size,
        valid=present,
    )
    times = scenario.timestamps_us[start] + np.round(np.arange(steps + 1) * protocol.dt * 1e6).astype(
        np.int64
    )
    longest = max(len(plan.poses) for plan in plans)
    padded = [np.concatenate([p.poses, np.repeat(p.poses[-1:], longest - len(p.poses), 0)]) for p in plans]
    return RolloutRecord(
        token=scenario.token,
        protocol=protocol.name,
        traffic=traffic,
        seed=seed,
        dt=protocol.dt,
        timestamps_us=times,
        ego_states=final.ego_trail[start : start + steps + 1],
        agents=tracks.select(present.any(axis=1)),
        lights=_lights_from(scenario.lights, start, frames),
        decision_frames=np.arange(len(plans)) * protocol.steps_per_decision,
        plans=np.stack(padded),
        plan_dt=plans[0].dt,
        plan_indices=np.array([-1 if p.vocabulary_index is None else p.vocabulary_index for p in plans]),
        commands=np.array(commands, np.int8),
        trust=trust,
    )


def _lights_from(lights: TrafficLights, start: int, frames: int) -> TrafficLights:
    """Return `frames` light states from `start` on; after the end of the log the last one stays."""
    index = np.minimum(np.arange(start, start + frames), lights.state.shape[1] - 1)
    return TrafficLights(lights.lane_ids, lights.state[:, index], lights.stop_point)
