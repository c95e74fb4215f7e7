"""Rule-based variants of a scenario: the others do the same, each a little earlier or later.

They stand in for a learned behaviour model. What becomes of a conflict depends on who is where when, so shifting tracks
in time turns one rare case into several, and keeps every path that somebody drove.

A agents, T frames.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.scenario.scenario import Scenario

SHIFT = (0.2, 0.8)
"""Least and most that a track is shifted [s], either way."""
_MOVES = 1.0
_CLEARANCE = 1.0


def make_variant(scenario: Scenario, number: int) -> Scenario:
    """Return variant `number` of a scenario, named `<token>_v<number>`; it depends on nothing else.

    A track is left as it is where the agent stands, or where the shifted one would touch the ego before the first
    decision.
    """
    token = f"{scenario.token}_v{number}"
    rng = np.random.default_rng(list(hashlib.sha256(token.encode()).digest()[:8]))
    agents, pose, velocity, valid = scenario.agents, [], [], []
    for row in range(agents.num_agents):
        shift = round(rng.uniform(*SHIFT) / scenario.dt) * (1 if rng.random() < 0.5 else -1)
        track = _shifted(agents, row, shift, scenario.dt)
        if not _moves(agents, row) or _touches(scenario, row, track[0], track[2]):
            track = agents.pose[row], agents.velocity[row], agents.valid[row]
        for column, values in zip((pose, velocity, valid), track, strict=True):
            column.append(values)
    if agents.num_agents:
        agents = replace(agents, pose=np.stack(pose), velocity=np.stack(velocity), valid=np.stack(valid))
    return replace(scenario, token=token, agents=agents, tags=scenario.tags | {"variant_of": scenario.token})


def _shifted(agents: AgentTracks, row: int, shift: int, dt: float) -> tuple[np.ndarray, ...]:
    """Return pose (T, 3), velocity (T, 2), valid (T,) of a track `shift` frames ahead, straight on beyond its ends."""
    frames = np.arange(agents.pose.shape[1]) + shift
    seen = np.flatnonzero(agents.valid[row])
    if not len(seen):
        return agents.pose[row], agents.velocity[row], agents.valid[row]
    # Who was there when the log began or ended goes on; who came or left meanwhile does so earlier or later.
    first = -abs(shift) if seen[0] == 0 else seen[0]
    last = len(frames) + abs(shift) if seen[-1] == len(frames) - 1 else seen[-1]
    source = np.clip(frames, seen[0], seen[-1])
    pose, velocity = agents.pose[row, source].copy(), agents.velocity[row, source].copy()
    pose[:, :2] += velocity * ((frames - source) * dt)[:, None]
    inside = (frames >= seen[0]) & (frames <= seen[-1])
    valid = np.where(inside, agents.valid[row, source], (frames >= first) & (frames <= last))
    pose[~valid], velocity[~valid] = 0.0, 0.0
    return pose, velocity, valid


def _moves(agents: AgentTracks, row: int) -> bool:
    points = agents.pose[row, agents.valid[row], :2]
    return len(points) > 1 and float(np.ptp(points, axis=0).max()) > _MOVES


def _touches(scenario: Scenario, row: int, pose: np.ndarray, valid: np.ndarray) -> bool:
    """Whether circles around agent and ego meet up to half a second after the first decision."""
    until = scenario.initial_frame + round(0.5 / scenario.dt) + 1
    gap = np.linalg.norm(pose[:until, :2] - scenario.ego.pose[:until, :2], axis=-1)
    reach = 0.5 * float(scenario.agents.size[row, 0] + scenario.vehicle.length) + _CLEARANCE
    return bool((gap[valid[:until]] < reach).any())
