"""What a map says about who goes first: junctions, stop signs, roundabouts, through roads, side of driving."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import shapely

from simengine.agents.lanes import LaneGraph, bend
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.map import AreaKind, Lane, MapArea, VectorMap
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
# nuPlan's names of stop polygons that are not a sign; `yield` has a meaning of its own.
NO_STOP_SIGN = ("ped_crossing", "traffic_light", "turn_stop", "yield")


class Junctions:
    """Facts about lanes that decide precedence; built once per scenario.

    Args:
        vector_map: the map.
        graph: its lanes.
        lights: the lights; a lane with one obeys it and no stop sign.
    """

    def __init__(self, vector_map: VectorMap, graph: LaneGraph, lights: TrafficLights) -> None:
        self._map, self._graph = vector_map, graph
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
        lanes = self._graph.lanes
        return frozenset(
            lane.roadblock_id or lane.id
            for lane in lanes.values()
            if any(k in lanes and abs(bend(lanes[k])) < STRAIGHT for k in lane.successors)
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
        areas = [
            area for area in self._map.areas_of(AreaKind.STOP_LINE) if counts(area) and len(area.polygon) > 2
        ]
        lanes = [lane for lane in self._graph.lanes.values() if not lane.is_connector]
        tree = shapely.STRtree([shapely.LineString(lane.centerline[:, :2]) for lane in lanes])
        along: dict[str, float] = {}
        for area in areas:
            for k in tree.query(shapely.Polygon(area.polygon[:, :2]), predicate="intersects"):
                lane, at = lanes[k], _first_contact(lanes[k], area)
                near_end = polyline.arc_length(lane.centerline)[-1] - at < STOP_REACH
                if near_end and not self.is_signalled(lane.id):
                    along[lane.id] = min(at, along.get(lane.id, np.inf))
        return {k: polyline.sample(self._graph.lanes[k].centerline, at)[:2] for k, at in along.items()}

    @cached_property
    def rings(self) -> frozenset[str]:
        """Lanes that form the ring of a roundabout: short loops that turn one way all along."""
        lanes = self._graph.lanes
        turn = {
            k: float(wrap(np.diff(polyline.headings(lane.centerline))).sum()) for k, lane in lanes.items()
        }
        length = {k: float(polyline.arc_length(lane.centerline)[-1]) for k, lane in lanes.items()}
        ring: set[str] = set()
        for side in (1.0, -1.0):
            curved = [
                k
                for k in sorted(lanes)
                if side * turn[k] > length[k] / RING_RADIUS
                or (length[k] < RING_PIECE and side * turn[k] > -RING_COUNTER_TURN)
            ]
            successors = {k: [after for after in lanes[k].successors if after in curved] for k in curved}
            for lane_id in curved:
                loop = [] if lane_id in ring else _shortest_loop(lane_id, successors, length)
                if (
                    loop
                    and _full_circle([lanes[k] for k in loop], turn)
                    and sum(map(length.get, loop)) < RING_LENGTH
                ):
                    ring.update(loop)
        return frozenset(ring)

    @cached_property
    def drives_left(self) -> bool:
        """Whether traffic keeps to the left: most lanes have the opposite direction on their right."""
        starts, headings = [], []
        for lane in self._graph.lanes.values():
            if not lane.is_connector:
                middle = len(lane.centerline) // 2
                starts.append(lane.centerline[middle, :2])
                headings.append(polyline.headings(lane.centerline)[middle])
        if not starts:
            return False
        at, yaw = np.array(starts), np.array(headings)
        between = at[None] - at[:, None]
        ahead = between[..., 0] * np.cos(yaw)[:, None] + between[..., 1] * np.sin(yaw)[:, None]
        left = between[..., 1] * np.cos(yaw)[:, None] - between[..., 0] * np.sin(yaw)[:, None]
        opposite = np.cos(yaw[None] - yaw[:, None]) < -0.9
        near = opposite & (np.abs(left) < OPPOSITE_REACH) & (np.abs(left) > 1.0) & (np.abs(ahead) < 20.0)
        return bool(np.sign(left[near]).sum() < 0.0)


def _first_contact(lane: Lane, area: MapArea) -> float:
    """Arc length at which the centre line of a lane enters an area [m]."""
    line = shapely.LineString(lane.centerline[:, :2])
    inside = shapely.get_coordinates(shapely.intersection(line, shapely.Polygon(area.polygon[:, :2])))
    along, _ = polyline.project(lane.centerline, inside)
    return float(along.min())


def _shortest_loop(start: str, successors: dict[str, list[str]], length: dict[str, float]) -> list[str]:
    """The shortest way from a lane back to it; none if there is no way."""
    # The search begins behind the start, so that it can end there.
    entry = "\x00"
    way = cheapest_path(entry, {start}, {**successors, entry: successors[start]}, length)
    return way[1:] if way[-1] == start else []


def _full_circle(loop: list[Lane], turn: dict[str, float]) -> bool:
    leaving = [polyline.headings(lane.centerline)[-1] for lane in loop]
    entering = [polyline.headings(lane.centerline)[0] for lane in (*loop[1:], loop[0])]
    total = sum(turn[lane.id] for lane in loop) + float(wrap(np.array(entering) - leaving).sum())
    return abs(abs(total) - 2.0 * np.pi) < RING_CLOSURE
