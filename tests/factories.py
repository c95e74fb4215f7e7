"""Plain factories for small values that many tests need."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.map import Lane, Roadblock, VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.scenario.scenario import Scenario


def shared_data(*parts: str) -> Path:
    """Return a path below the optional folder of real sample data, or skip the test."""
    path = Path(__file__).resolve().parents[2] / "shared" / Path(*parts)
    if not path.exists():
        pytest.skip(f"real sample data not present: {'/'.join(parts)}")
    return path


def make_straight_map(length: float = 200.0, lanes: int = 2, width: float = 3.5) -> VectorMap:
    """Return one road along +x from x = -50, its rightmost lane centred on y = 0."""
    x = np.arange(-50.0, length, 5.0)
    ids = [f"lane_{k}" for k in range(lanes)]
    made = {}
    for k, lane_id in enumerate(ids):
        y = k * width
        made[lane_id] = Lane(
            id=lane_id,
            centerline=np.stack([x, np.full_like(x, y)], axis=1),
            polygon=np.array(
                [[x[0], y - width / 2], [x[-1], y - width / 2], [x[-1], y + width / 2], [x[0], y + width / 2]]
            ),
            roadblock_id="road",
            left=(ids[k + 1],) if k + 1 < lanes else (),
            right=(ids[k - 1],) if k > 0 else (),
            speed_limit=15.0,
        )
    top = (lanes - 0.5) * width
    ring = np.array([[x[0], -width / 2], [x[-1], -width / 2], [x[-1], top], [x[0], top]])
    return VectorMap(lanes=made, roadblocks={"road": Roadblock("road", ring, tuple(ids))})


def make_tracks(poses: np.ndarray, dt: float = 0.1, kind: AgentType = AgentType.VEHICLE) -> AgentTracks:
    """Return always-valid tracks with the given centre poses (A, T, 3) and velocities from differences."""
    count, frames = poses.shape[:2]
    size = {AgentType.VEHICLE: (4.6, 1.9, 1.6), AgentType.PEDESTRIAN: (0.6, 0.6, 1.75)}.get(
        kind, (1.8, 0.7, 1.6)
    )
    return AgentTracks(
        ids=tuple(f"agent_{i}" for i in range(count)),
        types=np.full(count, int(kind), np.int8),
        pose=poses.astype(np.float64),
        velocity=np.gradient(poses[..., :2], dt, axis=1) if frames > 1 else np.zeros((count, frames, 2)),
        size=np.tile(np.array(size), (count, 1)),
        valid=np.ones((count, frames), bool),
    )


def make_scenario(
    frames: int = 66,
    dt: float = 0.1,
    speed: float = 8.0,
    agents: AgentTracks | None = None,
    **changes: object,
) -> Scenario:
    """Return an ego driving straight along +x at constant speed on `make_straight_map`."""
    t = np.arange(frames) * dt
    pose = np.stack([speed * t, np.zeros(frames), np.zeros(frames)], axis=1)
    values: dict = {
        "token": "straight",
        "log_name": "log",
        "map_name": "factory",
        "dt": dt,
        "timestamps_us": 1_600_000_000_000_000 + np.round(t * 1e6).astype(np.int64),
        "initial_frame": round(1.5 / dt),
        "agents": agents if agents is not None else AgentTracks.empty(frames),
        "ego": EgoTrack(pose, np.stack([np.full(frames, speed), np.zeros(frames)], 1), np.zeros((frames, 2))),
        "vehicle": VehicleParams(),
        "map": make_straight_map(),
        "lights": TrafficLights.empty(frames),
        "route": ("road",),
    }
    return Scenario(**(values | changes))
