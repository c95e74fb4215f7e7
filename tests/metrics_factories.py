"""Episodes on the straight factory road, for tests of scores and reports."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factories import make_scenario, make_tracks
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import STATE_SIZE
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.metrics.pdm.observation import observation_from_tracks
from simengine.metrics.pdm.scene import PdmScene
from simengine.scenario.scenario import Scenario

STATES, FRAMES, DT = 41, 51, 0.1
START_X = 12.0  # 1.5 s of history at the 8 m/s of the factory scenario
TIMES = np.arange(FRAMES) * DT


def straight_states(
    speed: float = 8.0, y: float = 0.0, x: float = START_X, heading: float = 0.0
) -> np.ndarray:
    """Return (41, 11) states of a straight drive at constant speed."""
    states = np.zeros((STATES, STATE_SIZE))
    states[:, 0] = x + speed * TIMES[:STATES] * np.cos(heading)
    states[:, 1] = y + speed * TIMES[:STATES] * np.sin(heading)
    states[:, 2] = heading
    states[:, 3] = speed
    return states


def straight_tracks(
    *starts: tuple[float, float, float, float], kind: AgentType = AgentType.VEHICLE
) -> AgentTracks:
    """Return a track per (x, y, velocity x, velocity y) over 51 frames, headed along its motion."""
    poses = np.zeros((len(starts), FRAMES, 3))
    for row, (x, y, vx, vy) in enumerate(starts):
        poses[row, :, 0] = x + vx * TIMES
        poses[row, :, 1] = y + vy * TIMES
    return make_tracks(poses, kind=kind)


def joined(*parts: AgentTracks) -> AgentTracks:
    """Return several sets of tracks as one, renamed `agent_0`, `agent_1`, ..."""
    count = sum(part.num_agents for part in parts)
    stack = lambda name: np.concatenate([getattr(part, name) for part in parts])  # noqa: E731
    return AgentTracks(
        tuple(f"agent_{i}" for i in range(count)),
        *(stack(name) for name in ("types", "pose", "velocity", "size", "valid")),
    )


def make_record(
    scenario: Scenario, states: np.ndarray | None = None, agents: AgentTracks | None = None, **changes: object
) -> RolloutRecord:
    """Return the record of an episode in `scenario`, by default the straight drive alone on the road."""
    states = straight_states() if states is None else states
    decisions = np.arange(0, len(states) - 1, 5)
    plan = np.zeros((40, 3))
    plan[:, 0] = 0.8 * np.arange(1, 41)
    record = RolloutRecord(
        token=scenario.token,
        protocol="navsim",
        traffic="NR",
        seed=3,
        dt=DT,
        timestamps_us=scenario.timestamps_us[scenario.initial_frame] + np.arange(len(states)) * 100_000,
        ego_states=states,
        agents=agents if agents is not None else AgentTracks.empty(FRAMES),
        lights=TrafficLights.empty(FRAMES),
        decision_frames=decisions,
        plans=np.tile(plan, (len(decisions), 1, 1)),
        plan_dt=DT,
        plan_indices=np.full(len(decisions), -1),
        commands=np.ones(len(decisions), np.int8),
    )
    return replace(record, **changes)


def random_drive(rng: np.random.Generator) -> np.ndarray:
    times = np.arange(41) * 0.1
    states = np.zeros((41, STATE_SIZE))
    speed = rng.uniform(1.0, 14.0)
    heading = rng.uniform(-0.15, 0.15) * np.sin(times * rng.uniform(0.5, 2.0))
    states[:, 0] = 12.0 + np.cumsum(speed * np.cos(heading)) * 0.1
    states[:, 1] = rng.uniform(-0.5, 3.0) + np.cumsum(speed * np.sin(heading)) * 0.1
    states[:, 2] = heading
    states[:, 3] = speed
    states[:, 5] = rng.uniform(-3.0, 2.0)
    return states


def random_tracks(rng: np.random.Generator, count: int = 8) -> AgentTracks:
    times = np.arange(FRAMES) * 0.1
    kinds = rng.choice([0, 0, 0, 1, 2, 3], count).astype(np.int8)
    speed = np.where(kinds == AgentType.TRAFFIC_CONE, 0.0, rng.uniform(-4.0, 10.0, count))
    pose = np.zeros((count, FRAMES, 3))
    pose[..., 0] = rng.uniform(0.0, 70.0, count)[:, None] + speed[:, None] * times
    pose[..., 1] = rng.uniform(-2.0, 6.0, count)[:, None]
    pose[..., 2] = rng.uniform(-0.2, 0.2, count)[:, None]
    velocity = np.zeros((count, FRAMES, 2))
    velocity[..., 0] = speed[:, None]
    first = rng.integers(0, 20, count)
    valid = np.arange(FRAMES) >= first[:, None]
    size = np.where(kinds[:, None] == 0, [[4.6, 1.9, 1.6]], [[0.8, 0.6, 1.6]])
    return AgentTracks(tuple(f"t{i}" for i in range(count)), kinds, pose, velocity, size, valid)


def two_lane_scene(tracks: AgentTracks | None = None) -> PdmScene:
    """Return the factory road around the start of the straight drive, with tracks on it."""
    scenario = make_scenario()
    return PdmScene(
        VehicleParams(),
        observation_from_tracks(tracks if tracks is not None else AgentTracks.empty(FRAMES)),
        drivable_map(scenario.map, np.array([START_X, 0.0]), 100.0),
        frozenset(scenario.map.lanes),
        scenario.ego.pose,
    )
