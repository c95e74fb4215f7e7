"""Boxes of a nuPlan log as tracks, and its traffic lights."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.geometry.angles import wrap
from simengine.scenario.kinematics import masked_derivative
from simengine.scenario.nuplan.log import NuplanLog, hex_token

_TYPES = {
    "vehicle": AgentType.VEHICLE,
    "bicycle": AgentType.CYCLIST,
    "pedestrian": AgentType.PEDESTRIAN,
    "traffic_cone": AgentType.TRAFFIC_CONE,
    "barrier": AgentType.BARRIER,
    "czone_sign": AgentType.CZONE_SIGN,
    "generic_object": AgentType.GENERIC_OBJECT,
}
_LIGHTS = {"green": LightState.GREEN, "yellow": LightState.YELLOW, "red": LightState.RED}


def read_tracks(log: NuplanLog, tokens: Sequence[str], dt: float) -> tuple[AgentTracks, dict[str, int]]:
    """Return the boxes at the sweeps `tokens` as tracks in the map datum, and what was left out, counted.

    Positions are box centres, velocities those in the log (in the axes of the datum), or derived from positions
    where it has none. Sizes are the median over the sweeps. Tracks come in the order in which they appear.

    Args:
        log: the log.
        tokens: T sweeps in order of time.
        dt: time between them [s].
    """
    frame = {token: index for index, token in enumerate(tokens)}
    rows = log.database.rows_for(
        "SELECT lb.lidar_pc_token, lb.track_token, c.name, lb.x, lb.y, lb.yaw, lb.vx, lb.vy, lb.length, lb.width, "
        "lb.height FROM lidar_box AS lb LEFT JOIN track AS t ON t.token = lb.track_token "
        "LEFT JOIN category AS c ON c.token = t.category_token WHERE lb.lidar_pc_token IN ({keys})",
        map(bytes.fromhex, tokens),
    )
    left_out: Counter[str] = Counter()
    tracks: dict[str, dict[int, np.ndarray]] = defaultdict(dict)
    kinds: dict[str, AgentType] = {}
    for sweep, track, category, *values in rows:
        kind = _TYPES.get(str(category))
        box = np.array(values, np.float64)
        name, at = hex_token(track), frame[hex_token(sweep)]
        problem = _problem(kind, box, at in tracks[name])
        if problem:
            left_out[problem] += 1
            continue
        tracks[name][at], kinds[name] = box, kind
    order = sorted((name for name in tracks if tracks[name]), key=lambda name: (min(tracks[name]), name))
    return _stack([tracks[name] for name in order], order, kinds, len(tokens), dt), dict(left_out)


def _problem(kind: AgentType | None, box: np.ndarray, repeated: bool) -> str:
    if kind is None:
        return "unknown_type"
    if not np.isfinite(box[[0, 1, 2, 5, 6, 7]]).all() or (box[5:8] <= 0).any():
        return "broken_box"
    return "repeated_box" if repeated else ""


def _stack(
    tracks: Sequence[Mapping[int, np.ndarray]],
    names: Sequence[str],
    kinds: Mapping[str, AgentType],
    frames: int,
    dt: float,
) -> AgentTracks:
    if not names:
        return AgentTracks.empty(frames)
    table = np.full((len(names), frames, 8), np.nan)
    for row, boxes in enumerate(tracks):
        table[row, list(boxes)] = list(boxes.values())
    valid = np.isfinite(table[..., 0])
    pose = np.where(valid[..., None], table[..., :3], 0.0)
    pose[..., 2] = np.where(valid, wrap(pose[..., 2]), 0.0)
    velocity = table[..., 3:5]
    for row in np.flatnonzero((valid & ~np.isfinite(velocity).all(axis=-1)).any(axis=1)):
        derived = masked_derivative(pose[row, :, :2], valid[row], dt)
        velocity[row] = np.where(np.isfinite(velocity[row]), velocity[row], derived)
    return AgentTracks(
        tuple(names),
        np.array([kinds[name] for name in names], np.int8),
        pose,
        np.where(valid[..., None], velocity, 0.0),
        np.nanmedian(table[..., 5:8], axis=1),
        valid,
    )


def read_lights(log: NuplanLog, tokens: Sequence[str]) -> dict[int, np.ndarray]:
    """Return lane connector -> (T,) int8 of `LightState` at the sweeps `tokens`.

    Sweeps at which the log says nothing of a light are UNKNOWN; of several states at one sweep the most
    restrictive counts.
    """
    if "traffic_light_status" not in log.database.tables:
        return {}
    frame = {token: index for index, token in enumerate(tokens)}
    rows = log.database.rows_for(
        "SELECT lidar_pc_token, lane_connector_id, status FROM traffic_light_status WHERE lidar_pc_token IN ({keys})",
        map(bytes.fromhex, tokens),
    )
    states: dict[int, np.ndarray] = {}
    for sweep, connector, status in rows:
        if connector is None:
            continue
        row = states.setdefault(int(connector), np.zeros(len(tokens), np.int8))
        at = frame[hex_token(sweep)]
        row[at] = max(row[at], _LIGHTS.get(str(status).lower(), LightState.UNKNOWN))
    return dict(sorted(states.items()))


def place_lights(
    states: Mapping[int, np.ndarray],
    names: Mapping[int, str],
    stop_points: Mapping[str, np.ndarray],
    frames: int,
) -> TrafficLights:
    """Return lights by the lane ids of the map.

    Args:
        states: what `read_lights` returned.
        names: lane connector -> lane id.
        stop_points: lane id -> (2,) in the world frame; NaN for lanes not in it.
        frames: T.
    """
    if not states:
        return TrafficLights.empty(frames)
    ids = [names.get(connector, str(connector)) for connector in states]
    unknown = np.full(2, np.nan)
    return TrafficLights(
        tuple(ids), np.stack(list(states.values())), np.stack([stop_points.get(i, unknown) for i in ids])
    )
