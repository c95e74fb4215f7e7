"""Small vocabularies, golden scenes as scenarios, and split folders, for tests of rewards and caches."""

from __future__ import annotations

from dataclasses import replace
from mmap import mmap
from pathlib import Path

import numpy as np

from factories import make_scenario, make_tracks
from pdm_closed_golden import golden_map
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry.se2 import to_parent
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import write_split

HISTORY, FRAMES, DT = 15, 116, 0.1


def make_plans(
    speeds: tuple[float, ...] = (0.0, 4.0, 8.0, 12.0), turns: tuple[float, ...] = (-0.1, 0.0, 0.1)
):
    """Return arcs (K, 40, 3) at 10 Hz of every speed [m/s] with every yaw rate [rad/s]."""
    times = DT * np.arange(1, 41)
    plans = np.zeros((len(speeds) * len(turns), 40, 3))
    for row, (speed, turn) in enumerate((s, t) for s in speeds for t in turns):
        yaw = turn * times if speed else 0.0 * times
        plans[row, :, 2] = yaw
        plans[row, :, 0] = np.cumsum(speed * DT * np.cos(yaw))
        plans[row, :, 1] = np.cumsum(speed * DT * np.sin(yaw))
    return plans


def make_vocabulary() -> Vocabulary:
    return Vocabulary(make_plans())


def save_plans(path: Path, plans: np.ndarray | None = None) -> Path:
    np.save(path, (make_plans() if plans is None else plans).astype(np.float32))
    return path


def busy_scenario(token: str = "busy", lead_speed: float = 4.0, frames: int = FRAMES) -> Scenario:
    """Return a straight drive behind a slower car, beside a standing cone, with a long log."""
    times = DT * np.arange(frames)
    poses = np.zeros((2, frames, 3))
    poses[0, :, 0] = 32.0 + lead_speed * times
    poses[1, :, :2] = (40.0, 3.2)
    tracks = make_tracks(poses, DT)
    types = np.array([AgentType.VEHICLE, AgentType.TRAFFIC_CONE], np.int8)
    size = np.array([[4.6, 1.9, 1.6], [0.5, 0.5, 0.8]])
    return make_scenario(
        frames, agents=replace(tracks, types=types, size=size), token=token, log_name="log-1"
    )


def write_scenarios(folder: Path, count: int = 3) -> Path:
    """Write `count` different scenarios as a split and return its folder."""
    write_split([busy_scenario(f"token_{i}", 3.0 + i) for i in range(count)], folder)
    return folder


def golden_scenario(data: dict[str, np.ndarray]) -> Scenario:
    """Return a golden scene as a 2 Hz scenario whose first frame is the decision."""
    count, frames = len(data["agent_token"]), 11
    size = np.stack([data["agent_length"], data["agent_width"], np.ones(count)], axis=1)
    present = data["agent_present"]
    agents = AgentTracks(
        tuple(data["agent_token"].tolist()),
        data["agent_type"].astype(np.int8),
        np.where(present[..., None], np.nan_to_num(data["agent_pose"]), 0.0),
        np.where(present[..., None], np.nan_to_num(data["agent_velocity"]), 0.0),
        size,
        present,
    )
    start = data["ego_rear_axle"]
    future = to_parent(start, data["human_poses"])
    pose = np.concatenate([start[None], future, np.repeat(future[-1:], 2, axis=0)])
    repeat = lambda name: np.repeat(data[name][None], frames, axis=0)  # noqa: E731
    red = np.where(data["red_connector_frames"], LightState.RED, LightState.GREEN).astype(np.int8)
    lanes = tuple(data["red_connector_token"].tolist())
    return Scenario(
        token=str(data["scene_name"]),
        log_name="golden",
        map_name="golden",
        dt=0.5,
        timestamps_us=int(data["ego_time_us"]) + 500_000 * np.arange(frames),
        initial_frame=0,
        agents=agents,
        ego=EgoTrack(pose, repeat("ego_velocity"), repeat("ego_acceleration")),
        vehicle=VehicleParams(),
        map=golden_map(data),
        lights=TrafficLights(lanes, red.reshape(len(lanes), frames), np.full((len(lanes), 2), np.nan)),
        route=tuple(data["route_rb_token"].tolist()),
    )


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array is a view of a memory map."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base.obj if isinstance(base, memoryview) else base, mmap)
