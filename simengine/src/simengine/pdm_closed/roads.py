"""The road network as PDM-Closed sees it: lanes with headings, grouped into blocks that follow each other.

A block is a roadblock, or a single lane on maps that do not group their lanes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from simengine.datatypes.map import Lane, VectorMap
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

ASSUMED_LANE_WIDTH = 3.5
ZIGZAG_ANGLE = 1.0
CHORD = 1.5
LINE_NAME = "path"


@dataclass(frozen=True)
class RoadLane:
    """A lane one can drive along.

    Attributes:
        id: unique among lanes.
        block: id of its block.
        line: (N, 3) vertices x, y [m] and heading [rad] of its centre line, N >= 2.
        polygon: its surface; 3.5 m wide around the line where the map has none.
        successors: ids of lanes that continue it.
        speed_limit: [m/s], NaN if unknown.
    """

    id: str
    block: str
    line: np.ndarray
    polygon: shapely.Geometry
    successors: tuple[str, ...]
    speed_limit: float

    @cached_property
    def length(self) -> float:
        """Length of the centre line [m]."""
        return float(polyline.arc_length(self.line)[-1])


@dataclass(frozen=True)
class Block:
    """Lanes that run side by side.

    Attributes:
        id: unique among blocks.
        lane_ids: its lanes.
        polygon: its surface.
        is_connector: whether it lies in a junction.
        outgoing: blocks that continue it.
        incoming: blocks that it continues.
    """

    id: str
    lane_ids: tuple[str, ...]
    polygon: shapely.Geometry
    is_connector: bool
    outgoing: tuple[str, ...]
    incoming: tuple[str, ...]


@dataclass(frozen=True)
class RoadNetwork:
    """Lanes and blocks of one map, by id in map order; build it once per map.

    Attributes:
        vector_map: the map it was built from.
        lanes: every lane with a centre line.
        blocks: every block with such a lane.
    """

    vector_map: VectorMap
    lanes: dict[str, RoadLane]
    blocks: dict[str, Block]

    def blocks_of(self, route: Iterable[str]) -> tuple[str, ...]:
        """Return the blocks (without repetition, in order) that a route of block or lane ids names.

        Names that the map does not know are skipped.
        """
        found = [
            i if i in self.blocks else self.lanes[i].block
            for i in route
            if i in self.blocks or i in self.lanes
        ]
        return tuple(dict.fromkeys(found))

    def lanes_of(self, blocks: Iterable[str]) -> dict[str, RoadLane]:
        """Return the lanes of `blocks`, in order."""
        return {i: self.lanes[i] for block in blocks for i in self.blocks[block].lane_ids}


def road_network(vector_map: VectorMap) -> RoadNetwork:
    """Return the road network of a map; it is empty if no lane has a centre line."""
    lanes = {lane.id: _road_lane(lane) for lane in vector_map.lanes.values() if len(lane.centerline) >= 2}
    members: dict[str, list[str]] = {}
    for lane in lanes.values():
        members.setdefault(lane.block, []).append(lane.id)
    outgoing: dict[str, dict[str, None]] = {block: {} for block in members}
    incoming: dict[str, dict[str, None]] = {block: {} for block in members}
    for lane in lanes.values():
        for after in lane.successors:
            if after in lanes and lanes[after].block != lane.block:
                outgoing[lane.block][lanes[after].block] = None
                incoming[lanes[after].block][lane.block] = None
    known = [i for i in vector_map.roadblocks if i in members]
    blocks = {}
    for block in dict.fromkeys([*known, *members]):
        ids = _in_map_order(vector_map, block, members[block])
        blocks[block] = Block(
            block,
            ids,
            _block_polygon(vector_map, block, [lanes[i].polygon for i in ids]),
            _is_connector(vector_map, block, ids),
            tuple(outgoing[block]),
            tuple(incoming[block]),
        )
    return RoadNetwork(vector_map, lanes, blocks)


def line_network(line: np.ndarray, vector_map: VectorMap) -> RoadNetwork:
    """Return a network of a single lane and block `path` along a line (N, 2) that the map does not know."""
    lane = _road_lane(Lane(LINE_NAME, line, np.zeros((0, 2))))
    block = Block(LINE_NAME, (LINE_NAME,), lane.polygon, False, (), ())
    return RoadNetwork(vector_map, {LINE_NAME: lane}, {LINE_NAME: block})


def _road_lane(lane: Lane) -> RoadLane:
    line = np.asarray(lane.centerline, np.float64)
    if line.shape[1] < 3:
        line = np.column_stack([line, _headings(line)])
    if len(lane.polygon) >= 3:
        polygon = _valid(shapely.Polygon(lane.polygon[:, :2]))
    else:
        polygon = shapely.LineString(line[:, :2]).buffer(0.5 * ASSUMED_LANE_WIDTH, cap_style="flat")
    return RoadLane(
        lane.id, lane.roadblock_id or lane.id, line[:, :3], polygon, lane.successors, lane.speed_limit
    )


def _headings(line: np.ndarray) -> np.ndarray:
    """Return the heading (N,) of each vertex of a line (N, 2): that of the segment it starts, as nuPlan has it.

    Some logs have lines that zigzag by decimetres; there it is the direction from 1.5 m before to 1.5 m after.
    """
    headings = polyline.headings(line)
    if len(line) < 3 or np.abs(wrap(np.diff(headings))).max() < ZIGZAG_ANGLE:
        return headings
    along = polyline.arc_length(line)
    before, after = (polyline.sample(line, np.clip(along + step, 0.0, along[-1])) for step in (-CHORD, CHORD))
    return np.arctan2(after[:, 1] - before[:, 1], after[:, 0] - before[:, 0])


def _in_map_order(vector_map: VectorMap, block: str, members: list[str]) -> tuple[str, ...]:
    """Return the lanes in the order in which the roadblock lists them, then those that it forgot."""
    listed = vector_map.roadblocks[block].lane_ids if block in vector_map.roadblocks else ()
    return tuple(dict.fromkeys([*(i for i in listed if i in members), *members]))


def _is_connector(vector_map: VectorMap, block: str, lanes: tuple[str, ...]) -> bool:
    if block in vector_map.roadblocks:
        return vector_map.roadblocks[block].is_connector
    return all(vector_map.lanes[i].is_connector for i in lanes)


def _block_polygon(vector_map: VectorMap, block: str, lanes: list[shapely.Geometry]) -> shapely.Geometry:
    if block in vector_map.roadblocks and len(vector_map.roadblocks[block].polygon) >= 3:
        return _valid(shapely.Polygon(vector_map.roadblocks[block].polygon[:, :2]))
    return shapely.union_all(lanes)


def _valid(polygon: shapely.Geometry) -> shapely.Geometry:
    return polygon if polygon.is_valid else shapely.make_valid(polygon)
