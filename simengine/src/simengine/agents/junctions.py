"""What a map says about who goes first: junctions, stop signs, roundabouts, through roads, side of driving."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property

import numpy as np
import shapely
from scipy.spatial import cKDTree

from simengine.agents.lane_ahead import project
from simengine.agents.lanes import LaneGraph
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.map import AreaKind, MapArea, VectorMap
from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.map.route import cheapest_path

STRAIGHT = np.pi / 6
RING_LENGTH = 300.0
# A lane of a ring bends like a circle of this radius at least, unless it is only a piece between entry and exit.
RING_RADIUS = 80.0
RING_PIECE = 12.0
RING_COUNTER_TURN = 0.2
RING_CLOSURE = 0.5
STOP_REACH = 25.0
OPPOSITE_REACH = 8.0
OPPOSITE_AHEAD = 20.0
# nuPlan's names of stop polygons that are not a sign; `yield` has a meaning of its own.
NO_STOP_SIGN = ("ped_crossing", "traffic_light", "turn_stop", "yield")


class Junctions:
    """Facts about lanes that decide precedence; built once per scenario.

    Args:
        vector_map: the map.
        graph: its lanes.
        lights: the lights; a lane with one obeys it and no stop sign.
        used: the lanes whose signs matter, by default all.
    """

    def __init__(
        self,
        vector_map: VectorMap,
        graph: LaneGraph,
        lights: TrafficLights,
        used: Collection[str] | None = None,
    ) -> None:
        self._map, self._graph = vector_map, graph
        self._used = graph.lanes.keys() if used is None else used
        self._controlled = frozenset(lights.lane_ids)

    def is_connector(self, lane_id: str | None) -> bool:
        """Whether a lane lies in a junction."""
        return lane_id in self._graph.lanes and self._graph.lanes[lane_id].is_connector

    def lane_before(self, lane_id: str | None) -> str | None:
        """Return the lane that leads to a connector; any other lane itself."""
        lane = self._graph.lanes.get(lane_id)
        if lane is None or not lane.is_connector:
            return lane_id
        return next((k for k in sorted(lane.predecessors) if k in self._graph.lanes), None)

    def is_signalled(self, lane_id: str | None) -> bool:
        """Whether a light controls a lane or any lane that continues it."""
        lane = self._graph.lanes.get(lane_id)
        return lane is not None and not self._controlled.isdisjoint((lane.id, *lane.successors))

    def goes_through(self, lane_id: str | None) -> bool:
        """Whether the road of a lane goes straight on behind the junction it leads to."""
        lane = self._graph.lanes.get(lane_id)
        return lane is not None and (lane.roadblock_id or lane.id) in self._through_roads

    @cached_property
    def _through_roads(self) -> frozenset[str]:
        graph = self._graph
        straight = {k for k, bend in zip(graph.ids, np.abs(graph.bend), strict=True) if bend < STRAIGHT}
        return frozenset(
            lane.roadblock_id or lane.id
            for lane in graph.lanes.values()
            if not straight.isdisjoint(lane.successors)
        )

    @cached_property
    def stop_signs(self) -> dict[str, np.ndarray]:
        """Lanes that end at a stop sign -> the place (2,) on them where to stop.

        A stop line without a light is one, unless its name says that it is something else.
        """
        return self._lines(lambda area: not any(name in area.id for name in NO_STOP_SIGN))

    @cached_property
    def give_way_signs(self) -> dict[str, np.ndarray]:
        """Lanes that end at a yield sign -> the place (2,) of its line on them."""
        return self._lines(lambda area: "yield" in area.id)

    def _lines(self, counts: Callable[[MapArea], bool]) -> dict[str, np.ndarray]:
        graph, (lanes, lines, tree) = self._graph, self._approaching
        areas = [
            area.polygon[:, :2]
            for area in self._map.areas_of(AreaKind.STOP_LINE)
            if counts(area) and len(area.polygon) > 2
        ]
        if not areas or not lanes:
            return {}
        owner = np.repeat(np.arange(len(areas)), [len(area) for area in areas])
        polygons = shapely.polygons(shapely.linearrings(np.concatenate(areas), indices=owner))
        along: dict[str, float] = {}
        for area, k in tree.query(polygons, predicate="intersects").T:
            row = graph.row[lanes[k]]
            at = _first_contact(lines[k], polygons[area], graph.lanes[lanes[k]].centerline)
            if graph.length[row] - at < STOP_REACH and not self.is_signalled(lanes[k]):
                along[lanes[k]] = min(at, along.get(lanes[k], np.inf))
        return {k: polyline.sample(graph.lanes[k].centerline, at)[:2] for k, at in along.items()}

    @cached_property
    def _approaching(self) -> tuple[list[str], np.ndarray, shapely.STRtree]:
        """The used lanes before junctions, their centre lines, and these as a tree."""
        graph = self._graph
        lanes = [k for k in sorted(self._used) if not graph.lanes[k].is_connector]
        lines = np.array([shapely.LineString(graph.lanes[k].centerline[:, :2]) for k in lanes], object)
        return lanes, lines, shapely.STRtree(lines)

    @cached_property
    def rings(self) -> frozenset[str]:
        """Lanes that form the ring of a roundabout: short loops that turn one way all along."""
        graph = self._graph
        if not graph.ids:
            return frozenset()
        start, heading = graph.lines.start, graph.lines.heading
        turned = wrap(np.diff(heading))
        turned[start[1:-1] - 1] = 0.0
        turn, length = np.add.reduceat(turned, start[:-1]), graph.length
        ring: set[str] = set()
        for side in (1.0, -1.0):
            curved = (side * turn > length / RING_RADIUS) | (
                (length < RING_PIECE) & (side * turn > -RING_COUNTER_TURN)
            )
            successors = _circling(self._among({graph.ids[k] for k in np.flatnonzero(curved)}))
            cost = {k: float(length[graph.row[k]]) for k in successors}
            for lane_id in successors:
                loop = [] if lane_id in ring else _shortest_loop(lane_id, successors, cost)
                rows = np.array([graph.row[k] for k in loop], np.int64)
                if loop and length[rows].sum() < RING_LENGTH and self._full_circle(rows, turn):
                    ring.update(loop)
        return frozenset(ring)

    def _among(self, chosen: set[str]) -> dict[str, list[str]]:
        """The lanes of `chosen`, sorted, and which of them continue each."""
        return {
            k: [after for after in self._graph.lanes[k].successors if after in chosen] for k in sorted(chosen)
        }

    def _full_circle(self, loop: np.ndarray, turn: np.ndarray) -> bool:
        lines = self._graph.lines
        leaving, entering = lines.heading[lines.start[loop + 1] - 1], lines.heading[lines.start[loop]]
        total = turn[loop].sum() + wrap(np.roll(entering, -1) - leaving).sum()
        return abs(abs(total) - 2.0 * np.pi) < RING_CLOSURE

    @cached_property
    def drives_left(self) -> bool:
        """Whether traffic keeps to the left: most lanes have the opposite direction on their right."""
        graph = self._graph
        middle = graph.lines.middle[~graph.connects]
        if not len(middle):
            return False
        at, yaw = graph.lines.points[middle], graph.lines.heading[middle]
        reach = np.hypot(OPPOSITE_REACH, OPPOSITE_AHEAD)
        a, b = cKDTree(at).query_pairs(reach, output_type="ndarray").T
        a, b = np.concatenate([a, b]), np.concatenate([b, a])
        x, y = (at[b] - at[a]).T
        ahead, left = x * np.cos(yaw[a]) + y * np.sin(yaw[a]), y * np.cos(yaw[a]) - x * np.sin(yaw[a])
        near = (np.cos(yaw[b] - yaw[a]) < -0.9) & (np.abs(left) < OPPOSITE_REACH)
        near &= (np.abs(left) > 1.0) & (np.abs(ahead) < OPPOSITE_AHEAD)
        return bool(np.sign(left[near]).sum() < 0.0)


def _first_contact(line: shapely.LineString, area: shapely.Polygon, centerline: np.ndarray) -> float:
    """Arc length at which the centre line of a lane enters an area [m]."""
    inside = shapely.get_coordinates(shapely.intersection(line, area))
    along, _ = project(np.ascontiguousarray(centerline[:, :2], np.float64), inside)
    return float(along.min())


def _circling(successors: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the nodes that are left once dead ends are gone, over and over: all loops are among them."""
    left = successors
    while True:
        open_ended = {k: [after for after in following if after in left] for k, following in left.items()}
        kept = {k: following for k, following in open_ended.items() if following}
        if len(kept) == len(left):
            return kept
        left = kept


def _shortest_loop(start: str, successors: dict[str, list[str]], length: dict[str, float]) -> list[str]:
    """The shortest way from a lane back to it; none if there is no way."""
    # The search begins behind the start, so that it can end there.
    entry = "\x00"
    way = cheapest_path(entry, {start}, {**successors, entry: successors[start]}, length)
    return way[1:] if way[-1] == start else []
