"""Between the world frame of a scenario and the frame of an asset: axes are parallel, origins differ."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.render.assets.asset import Asset
from simengine.scenario.scenario import Scenario


def world_origin(asset: Asset, scenario: Scenario, road_height: float) -> np.ndarray:
    """Return the place (3,) of the asset's origin in the world frame, whose z is 0 at `road_height` of the asset."""
    return np.append(asset.recon2world[:2] - scenario.global_from_world, -road_height)


def in_scene(pose: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return a planar pose (3,) of the world frame in the frame of a scene with `origin` (3,)."""
    return np.array([pose[0] - origin[0], pose[1] - origin[1], pose[2]], np.float64)


def in_world(transform: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return a transform (4, 4) of the frame of a scene in the world frame."""
    moved = transform.copy()
    moved[:3, 3] += origin
    return moved


def time_of(scenario: Scenario, frame_time: int) -> int:
    """Return the time of a frame [us]; before the first and after the last frame it goes on at the same rate."""
    last = scenario.num_frames - 1
    inside = min(max(frame_time, 0), last)
    return int(scenario.timestamps_us[inside]) + round((frame_time - inside) * scenario.dt * 1e6)


def rows_of(agents: AgentStates) -> dict[str, int]:
    """Return agent id -> row."""
    return {str(agent_id): row for row, agent_id in enumerate(agents.ids)}
