"""One scenario and its record as small plain values for the animation.

Lengths are integer centimetres from the first ego position, angles integer milliradians. Polylines are
flat lists of x, y; every number after the first pair is the difference to the one before it, which
keeps the digits few.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import numpy as np
import shapely

from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.map import AreaKind, VectorMap
from simengine.datatypes.record import RolloutRecord
from simengine.geometry.se2 import points_to_parent
from simengine.scenario.scenario import Scenario

MAP_RADIUS = 120.0
AGENT_RADIUS = 130.0
TOLERANCE = 0.08
_TYPE_NAMES = {kind: kind.name.lower() for kind in AgentType}


def scene_data(scenario: Scenario, record: RolloutRecord, images: Sequence[bytes]) -> dict:
    """Return what the page needs to animate an episode.

    Args:
        scenario: for the map and the logged path.
        record: the episode.
        images: JPEG bytes of the front camera, one per decision; may be empty.
    """
    states = np.asarray(record.ego_states, dtype=np.float64)
    origin = states[0, :2].copy()
    last = scenario.initial_frame + round(len(states) * record.dt / scenario.dt)
    logged = scenario.ego.pose[scenario.initial_frame : last + 1, :2]
    middle = 0.5 * (states[:, :2].min(axis=0) + states[:, :2].max(axis=0))
    vehicle = scenario.vehicle
    return {
        "dt": record.dt,
        "frames": len(states),
        "size": [_cm(vehicle.length), _cm(vehicle.width), _cm(vehicle.rear_axle_to_center)],
        "ego": _deltas(_poses(states[:, :3], origin)),
        "speed": [round(float(v), 1) for v in np.hypot(states[:, 3], states[:, 4])],
        "logged": _line(logged, origin),
        "agents": _agents(record.agents, origin, middle, len(states)),
        "map": _map(scenario.map, origin, middle),
        "lights": _lights(record.lights, scenario.map, origin, len(states)),
        "decisions": [int(frame) for frame in record.decision_frames],
        "plans": _plans(record, states, origin),
        "images": [base64.b64encode(image).decode("ascii") for image in images],
        "trust": _trust(record),
    }


def _trust(record: RolloutRecord) -> list[dict]:
    """Return for each decision the trust in its worst camera, and why; nothing if it was not measured."""
    trust = record.trust
    if trust is None or not len(trust.channels):
        return []
    worst = trust.score.argmin(axis=1)
    return [
        {
            "score": round(float(trust.score[row, k]), 3),
            "camera": trust.channels[k],
            "distance": round(float(trust.distance[row, k]), 2),
            "angle": round(float(trust.angle_deg[row, k]), 1),
            "coverage": round(float(trust.coverage[row, k]), 3),
        }
        for row, k in enumerate(worst)
    ]


def _cm(length: float) -> int:
    return round(100.0 * float(length))


def _poses(poses: np.ndarray, origin: np.ndarray) -> np.ndarray:
    # Unwrapped angles, so that the page may interpolate them.
    yaw = np.unwrap(poses[:, 2])
    return np.concatenate([100.0 * (poses[:, :2] - origin), 1000.0 * yaw[:, None]], axis=1)


def _deltas(rows: np.ndarray) -> list[int]:
    whole = np.round(rows).astype(np.int64)
    return np.diff(whole, axis=0, prepend=np.zeros((1, whole.shape[1]), np.int64)).ravel().tolist()


def _line(points: np.ndarray, origin: np.ndarray) -> list[int]:
    points = np.asarray(points, dtype=np.float64)[:, :2]
    if len(points) >= 2:
        points = shapely.get_coordinates(shapely.simplify(shapely.LineString(points), TOLERANCE))
    return _deltas(100.0 * (points - origin))


def _lines(
    lines: Iterable[np.ndarray], origin: np.ndarray, window: shapely.Geometry, *, ring: bool
) -> list[list[int]]:
    made = []
    for line in lines:
        points = np.asarray(line, dtype=np.float64)[:, :2]
        if len(points) < (3 if ring else 2):
            continue
        shape = shapely.make_valid(shapely.Polygon(points)) if ring else shapely.LineString(points)
        shape = shapely.intersection(shapely.simplify(shape, TOLERANCE), window)
        for part in shapely.get_parts(shape):
            if shapely.get_type_id(part) == (3 if ring else 1) and not shapely.is_empty(part):
                edge = shapely.get_exterior_ring(part) if ring else part
                coordinates = shapely.get_coordinates(edge)
                made.append(_deltas(100.0 * ((coordinates[:-1] if ring else coordinates) - origin)))
    return made


def _map(vector_map: VectorMap, origin: np.ndarray, middle: np.ndarray) -> dict[str, list[list[int]]]:
    window = shapely.box(*(middle - MAP_RADIUS), *(middle + MAP_RADIUS))
    lanes = vector_map.lanes.values()
    surface = [lane.polygon for lane in lanes]
    surface += [block.polygon for block in vector_map.roadblocks.values()]
    surface += [
        a.polygon for a in vector_map.areas_of(AreaKind.INTERSECTION, AreaKind.DRIVABLE, AreaKind.CARPARK)
    ]
    areas = {
        "crosswalk": [area.polygon for area in vector_map.areas_of(AreaKind.CROSSWALK)],
        "walkway": [area.polygon for area in vector_map.areas_of(AreaKind.WALKWAY)],
        "lane": [lane.polygon for lane in lanes if not lane.is_connector],
    }
    drawn = {kind: _lines(rings, origin, window, ring=True) for kind, rings in areas.items()}
    drawn["surface"] = _lines(_union(surface, window), origin, window, ring=True)
    drawn["center"] = _lines([lane.centerline for lane in lanes], origin, window, ring=False)
    for kind in {line.kind for line in vector_map.lines}:
        points = [line.points for line in vector_map.lines if line.kind == kind]
        drawn[kind.value] = _lines(points, origin, window, ring=False)
    stops = [area.polygon for area in vector_map.areas_of(AreaKind.STOP_LINE)]
    drawn["stop"] = _lines(stops, origin, window, ring=True)
    return drawn


def _union(rings: list[np.ndarray], window: shapely.Geometry) -> list[np.ndarray]:
    # One outline instead of overlapping lanes, roadblocks and intersections. Outer rings and holes come
    # in one list: parts of a union never overlap, so the page fills all rings by the even-odd rule.
    polygons = [shapely.make_valid(shapely.Polygon(ring[:, :2])) for ring in rings if len(ring) >= 3]
    if not polygons:
        return []
    whole = shapely.intersection(shapely.union_all(shapely.buffer(polygons, 0.02)), window)
    outlines = []
    for part in shapely.get_parts(whole):
        if shapely.get_type_id(part) == 3:
            holes = [shapely.get_interior_ring(part, k) for k in range(shapely.get_num_interior_rings(part))]
            outlines += [shapely.get_coordinates(ring) for ring in [shapely.get_exterior_ring(part), *holes]]
    return outlines


def _agents(tracks: AgentTracks, origin: np.ndarray, middle: np.ndarray, frames: int) -> list[dict]:
    made = []
    for i, name in enumerate(tracks.ids):
        valid = tracks.valid[i, :frames]
        near = np.hypot(*(tracks.pose[i, :frames, :2] - middle).T) < AGENT_RADIUS
        if not (valid & near).any():
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[0], valid.astype(np.int8), [0]])))
        spans = [
            [int(a), _deltas(_poses(tracks.pose[i, a:b], origin))]
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
        kind = _TYPE_NAMES[AgentType(int(tracks.types[i]))]
        size = [_cm(tracks.size[i, 0]), _cm(tracks.size[i, 1])]
        made.append({"id": name, "type": kind, "size": size, "spans": spans})
    return made


def _lights(lights: TrafficLights, vector_map: VectorMap, origin: np.ndarray, frames: int) -> list[dict]:
    made = []
    for i, lane_id in enumerate(lights.lane_ids):
        lane = vector_map.lanes.get(lane_id)
        stop = lights.stop_point[i]
        if not np.isfinite(stop).all():
            if lane is None:
                continue
            stop = lane.centerline[0, :2]
        states = "".join(str(int(state)) for state in lights.state[i, :frames])
        line = _line(lane.centerline, origin) if lane is not None else []
        made.append({"at": _deltas(100.0 * (stop[None] - origin)), "line": line, "states": states})
    return made


def _plans(record: RolloutRecord, states: np.ndarray, origin: np.ndarray) -> list[list[int]]:
    made = []
    for frame, plan in zip(record.decision_frames, record.plans, strict=True):
        start = states[min(int(frame), len(states) - 1), :3]
        points = np.concatenate([start[None, :2], points_to_parent(start, np.asarray(plan)[:, :2])])
        made.append(_deltas(100.0 * (points - origin)))
    return made
