"""Tracks, ego and lights of scene dictionaries (ScenarioNet, and the original's near twin of it)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.errors import ScenarioFormatError
from simengine.geometry.angles import wrap
from simengine.scenario.kinematics import masked_derivative

_TYPES = {
    "VEHICLE": AgentType.VEHICLE,
    "PEDESTRIAN": AgentType.PEDESTRIAN,
    "CYCLIST": AgentType.CYCLIST,
    "TRAFFIC_CONE": AgentType.TRAFFIC_CONE,
    "TRAFFIC_BARRIER": AgentType.BARRIER,
    "TRAFFIC_OBJECT": AgentType.GENERIC_OBJECT,
}
_DEFAULT_SIZE = {
    AgentType.VEHICLE: (4.6, 1.9, 1.6),
    AgentType.PEDESTRIAN: (0.6, 0.6, 1.75),
    AgentType.CYCLIST: (1.8, 0.7, 1.7),
}
_SMALL_OBJECT = (0.5, 0.5, 0.8)
_GHOST_DISTANCE = 1.0


def column(state: Mapping, name: str, frames: int) -> np.ndarray:
    """Return a scalar quantity of a track over time (T,), whether stored (T,), (T, 1) or as a list."""
    return _flat(state[name], name, frames).astype(np.float64)


def _flat(values: object, name: str, frames: int) -> np.ndarray:
    array = np.asarray(values)
    if array.size != frames:
        raise ScenarioFormatError(
            f"{name} holds {array.size} values, expected one for each of {frames} frames"
        )
    return array.reshape(frames)


def track_valid(state: Mapping, frames: int) -> np.ndarray:
    """Return where a track exists (T,), whether stored as bool, float or int."""
    return _flat(state["valid"], "valid", frames).astype(np.float64) > 0.5


def track_pose(state: Mapping, frames: int) -> np.ndarray:
    """Return the poses (T, 3) x, y [m], yaw [rad] of a track as stored; invalid entries are zero."""
    position = np.asarray(state["position"], np.float64)
    if position.ndim != 2 or position.shape[0] != frames or position.shape[1] < 2:
        raise ScenarioFormatError(f"position has shape {position.shape}, expected ({frames}, 2 or 3)")
    heading = column(state, "heading", frames)
    pose = np.column_stack([position[:, :2], wrap(np.where(np.isfinite(heading), heading, np.nan))])
    pose[~track_valid(state, frames)] = 0.0
    return pose


def track_height(state: Mapping, frames: int) -> np.ndarray:
    """Return the z (T,) [m] of a track, zeros where the source is flat."""
    position = np.asarray(state["position"], np.float64)
    return position[:, 2] if position.shape[1] > 2 else np.zeros(frames)


def track_size(state: Mapping, kind: AgentType, frames: int) -> np.ndarray:
    """Return the median length, width, height (3,) [m]; missing sizes take a usual one of the kind."""
    valid = track_valid(state, frames)
    size = np.array(_DEFAULT_SIZE.get(kind, _SMALL_OBJECT))
    for index, name in enumerate(("length", "width", "height")):
        if name in state:
            values = column(state, name, frames)[valid]
            values = values[np.isfinite(values) & (values > 0)]
            if len(values):
                size[index] = np.median(values)
    return size


def agent_type(track: Mapping) -> AgentType | None:
    """Return the kind of a track, None for kinds that are no road user or object."""
    if str(track.get("metadata", {}).get("nuplan_type", "")).lower() == "czone_sign":
        return AgentType.CZONE_SIGN
    return _TYPES.get(str(track["type"]))


def read_agents(
    tracks: Mapping, ego_id: str, frames: int, dt: float, smooth_velocity: bool = False
) -> tuple[AgentTracks, dict[str, int]]:
    """Return all tracks but the ego's, and how many were left out for which reason.

    Args:
        tracks: id -> track of the scene.
        ego_id: which of them is the ego.
        frames: number of frames T.
        dt: time between frames [s].
        smooth_velocity: derive velocities from the positions instead of reading them.
    """
    left_out = {"never_valid": 0, "ego_ghost": 0, "unknown_type": 0}
    ego_pose = track_pose(tracks[ego_id]["state"], frames)
    rows: list[tuple] = []
    for key, track in tracks.items():
        if key == ego_id:
            continue
        state, kind = track["state"], agent_type(track)
        valid = track_valid(state, frames)
        if kind is None or not valid.any():
            left_out["unknown_type" if kind is None else "never_valid"] += 1
            continue
        pose = track_pose(state, frames)
        if kind == AgentType.VEHICLE and _is_ghost(pose, ego_pose, valid):
            left_out["ego_ghost"] += 1
            continue
        if smooth_velocity or "velocity" not in state:
            velocity = masked_derivative(pose[:, :2], valid, dt)
        else:
            velocity = np.array(state["velocity"], np.float64).reshape(frames, -1)[:, :2]
            velocity[~valid] = 0.0
        rows.append((str(key), int(kind), pose, velocity, track_size(state, kind, frames), valid))
    counts = {reason: count for reason, count in left_out.items() if count}
    if not rows:
        return AgentTracks.empty(frames), counts
    ids, types, pose, velocity, size, valid = zip(*rows, strict=True)
    stacked = [np.stack(part) for part in (pose, velocity, size, valid)]
    return AgentTracks(tuple(ids), np.array(types, np.int8), *stacked), counts


def _is_ghost(pose: np.ndarray, ego_pose: np.ndarray, valid: np.ndarray) -> bool:
    """Return whether a vehicle sits inside the ego for most of its life: the ego, labelled again."""
    gap = np.hypot(*(pose[valid, :2] - ego_pose[valid, :2]).T)
    return bool(np.mean(gap < _GHOST_DISTANCE) > 0.5)


def light_state(name: object) -> LightState:
    """Return what a source's light name means; unknown names and None are UNKNOWN."""
    text = str(name or "")
    for suffix, state in (
        (("GREEN", "_GO"), LightState.GREEN),
        (("YELLOW", "CAUTION"), LightState.YELLOW),
        (("RED", "STOP"), LightState.RED),
    ):
        if text.endswith(suffix):
            return state
    return LightState.UNKNOWN


def read_lights(states: Mapping, frames: int) -> TrafficLights:
    """Return the lights of `dynamic_map_states`; the keys are lane ids."""
    lanes, rows, points = [], [], []
    for key, light in states.items():
        state = light.get("state", {})
        names = state.get("object_state", state.get("traffic_light_state"))
        if names is None:
            continue
        if len(names) != frames:
            raise ScenarioFormatError(
                f"light {key} has {len(names)} states, expected one for each of {frames} frames"
            )
        lane = light.get("lane", light.get("traffic_light_lane", key))
        point = light.get("stop_point", light.get("traffic_light_position"))
        point = np.full(2, np.nan) if point is None else np.asarray(point, np.float64).ravel()[:2]
        lanes.append(str(key if lane is None else lane))
        rows.append([light_state(name) for name in names])
        points.append(point)
    if not lanes:
        return TrafficLights.empty(frames)
    return TrafficLights(tuple(lanes), np.array(rows, np.int8), np.stack(points))
