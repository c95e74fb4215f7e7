"""Relations between lanes that sources leave out: successors, parallel neighbours, roadblocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon

from simengine.datatypes.map import AreaKind, Lane, MapArea, Roadblock
from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.scenario.lane_shapes import largest_ring, plain_rings, union_of

_JOINT_GAP = 1.0
_JOINT_ANGLE = 0.6
_PARALLEL_ANGLE = 0.35
_NEAREST, _FARTHEST = 2.0, 5.2
_SHARED_PART = 0.5
_CROSSING_ANGLE, _CROSSING_AREA = 0.35, 4.0


@dataclass(frozen=True)
class Neighbour:
    """A lane that runs beside another in the same direction.

    Attributes:
        lane_id: the neighbour.
        distance: between the centrelines [m], positive to the left.
        part: share of the first lane that it runs beside, 0..1.
    """

    lane_id: str
    distance: float
    part: float


def find_successors(centerlines: Mapping[str, np.ndarray]) -> dict[str, tuple[str, ...]]:
    """Return lane id -> ids of lanes that start where it ends, heading the same way."""
    ids = list(centerlines)
    if not ids:
        return {}
    starts = np.array([centerlines[i][0] for i in ids])
    heads = np.array([polyline.headings(centerlines[i])[0] for i in ids])
    found = {}
    for lane_id in ids:
        line = centerlines[lane_id]
        gap = np.hypot(*(starts - line[-1]).T)
        turn = np.abs(wrap(heads - polyline.headings(line)[-1]))
        joined = (gap < _JOINT_GAP) & (turn < _JOINT_ANGLE)
        found[lane_id] = tuple(ids[k] for k in np.flatnonzero(joined) if ids[k] != lane_id)
    return found


def find_neighbours(centerlines: Mapping[str, np.ndarray]) -> dict[str, list[Neighbour]]:
    """Return for each lane the nearest parallel lane on each side, if any."""
    ids = list(centerlines)
    if not ids:
        return {}
    lines = [LineString(centerlines[i]) for i in ids]
    tree = shapely.STRtree(lines)
    pairs = tree.query([line.buffer(_FARTHEST) for line in lines], predicate="intersects").T
    beside: dict[str, list[Neighbour]] = defaultdict(list)
    for first, second in pairs:
        if first != second:
            found = _beside(centerlines[ids[first]], centerlines[ids[second]])
            if found is not None:
                beside[ids[first]].append(Neighbour(ids[second], *found))
    nearest = {}
    for lane_id in ids:
        sides = (
            [n for n in beside[lane_id] if n.distance > 0],
            [n for n in beside[lane_id] if n.distance < 0],
        )
        nearest[lane_id] = [min(side, key=lambda n: abs(n.distance)) for side in sides if side]
    return nearest


def _beside(line: np.ndarray, other: np.ndarray) -> tuple[float, float] | None:
    """Return signed distance [m] to `other` (left positive) and the share of `line` beside it."""
    points = polyline.resample(line, 2.0)
    along, offset = polyline.project(other, points)
    total = polyline.arc_length(other)[-1]
    inside = (along > 1e-6) & (along < total - 1e-6)
    yaw = polyline.sample(other, along)[:, 2]
    turn = np.abs(wrap(yaw - polyline.headings(points)))
    good = inside & (turn < _PARALLEL_ANGLE) & (np.abs(offset) > _NEAREST) & (np.abs(offset) < _FARTHEST)
    if good.sum() < 2 or good.mean() < _SHARED_PART:
        return None
    return -float(np.median(offset[good])), float(good.mean())


def with_links(lanes: Mapping[str, Lane], neighbours: Mapping[str, list[Neighbour]]) -> dict[str, Lane]:
    """Return lanes with neighbours set, links both ways and none to unknown lanes."""
    successors: dict[str, dict[str, None]] = {i: {} for i in lanes}
    predecessors: dict[str, dict[str, None]] = {i: {} for i in lanes}
    for lane in lanes.values():
        pairs = [(lane.id, other) for other in lane.successors] + [
            (other, lane.id) for other in lane.predecessors
        ]
        for before, after in pairs:
            if before in lanes and after in lanes and before != after:
                successors[before][after] = None
                predecessors[after][before] = None
    return {
        i: replace(
            lane,
            successors=tuple(successors[i]),
            predecessors=tuple(predecessors[i]),
            left=tuple(n.lane_id for n in neighbours.get(i, ()) if n.distance > 0),
            right=tuple(n.lane_id for n in neighbours.get(i, ()) if n.distance < 0),
        )
        for i, lane in lanes.items()
    }


def group_roadblocks(
    lanes: Mapping[str, Lane], neighbours: Mapping[str, list[Neighbour]]
) -> tuple[dict[str, Lane], dict[str, Roadblock]]:
    """Return lanes with roadblock ids, and the roadblocks: lanes side by side over most of both.

    Lanes that follow each other never share a roadblock. Lanes that already name a roadblock keep it.
    """
    group = {i: {i} for i in lanes if not lanes[i].roadblock_id}
    part = {(i, n.lane_id): n.part for i, found in neighbours.items() for n in found}
    for (i, other), share in part.items():
        if i not in group or other not in group or min(share, part.get((other, i), 0.0)) < _SHARED_PART:
            continue
        if lanes[i].is_connector != lanes[other].is_connector or group[i] is group[other]:
            continue
        merged = group[i] | group[other]
        if any(set(lanes[member].successors) & merged for member in merged):
            continue
        for member in merged:
            group[member] = merged
    named = {
        i: lane if lane.roadblock_id else replace(lane, roadblock_id=f"rb_{min(group[i])}")
        for i, lane in lanes.items()
    }
    members: dict[str, list[Lane]] = defaultdict(list)
    for lane in named.values():
        members[lane.roadblock_id].append(lane)
    return named, {key: _roadblock(key, group_) for key, group_ in members.items()}


def _roadblock(key: str, lanes: list[Lane]) -> Roadblock:
    rings = [lane.polygon for lane in lanes]
    # Neighbouring polygons may leave slits of some centimetres between them.
    closed = union_of(rings).buffer(0.4, join_style="mitre").buffer(-0.4, join_style="mitre")
    ring = rings[0] if len(rings) == 1 else largest_ring(closed)
    return Roadblock(key, ring, tuple(lane.id for lane in lanes), all(lane.is_connector for lane in lanes))


def intersections(lanes: Mapping[str, Lane]) -> list[MapArea]:
    """Return junction areas: the union of connectors that cross, fork from or join another one."""
    connectors = [lane for lane in lanes.values() if lane.is_connector and len(lane.polygon)]
    if not connectors:
        return []
    shapes = [shapely.make_valid(Polygon(lane.polygon)) for lane in connectors]
    yaw = np.array([np.arctan2(*(lane.centerline[-1] - lane.centerline[0])[::-1]) for lane in connectors])
    crossing: set[int] = set()
    for first, second in shapely.STRtree(shapes).query(shapes, predicate="intersects").T:
        turned = abs(wrap(yaw[first] - yaw[second])) > _CROSSING_ANGLE
        if turned and shapes[first].intersection(shapes[second]).area > _CROSSING_AREA:
            crossing |= {int(first), int(second)}
    union = shapely.union_all([shapes[k] for k in sorted(crossing)]).buffer(0.5).buffer(-0.5)
    return [
        MapArea(f"intersection_{index}", AreaKind.INTERSECTION, ring)
        for index, ring in enumerate(plain_rings(union))
    ]
