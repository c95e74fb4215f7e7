"""Building blocks of a vector map: roads with parallel lanes, connectors in junctions, and what lies beside.

Traffic keeps right. A road runs along a reference line; its `f` lanes follow the line on its right side, its
`b` lanes run against it on its left. Lane 0 is next to the reference line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely

from simengine.datatypes.map import AreaKind, Lane, LineKind, MapArea, MapLine, Roadblock, VectorMap
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

LANE_WIDTH = 3.6
SHOULDER = 2.4
WALKWAY = 2.6
# Neighbouring roadblocks overlap a little, because a point on a shared edge lies inside neither.
OVERLAP = 0.4


@dataclass(frozen=True)
class Road:
    """A straight or bent piece of road.

    Attributes:
        name: prefix of all its ids.
        line: (N, 2) reference line in world [m], about a metre between points.
        forward: number of lanes along the line.
        backward: number of lanes against it.
        speed_limit: [m/s].
        ends: (2,) yaw of the road at both ends, so that roads in a row join without a gap; by default that
            of the line's first and last segment.
    """

    name: str
    line: np.ndarray
    forward: int
    backward: int
    speed_limit: float
    ends: tuple[float, float] | None = None

    def offset(self, offset: float) -> np.ndarray:
        """Return the line (N, 2) at `offset` metres to the left of the reference line."""
        moved = offset_line(self.line, offset)
        if self.ends is not None:
            for k, yaw in zip((0, -1), self.ends, strict=True):
                moved[k] = self.line[k] + offset * np.array([-np.sin(yaw), np.cos(yaw)])
        return moved

    def strip(self, low: float, high: float, extend: float = 0.0) -> np.ndarray:
        """Return the ring (M, 2) between two offsets, longer by `extend` [m] at both ends."""
        sides = [_lengthened(self.offset(value), extend) for value in (low, high)]
        return np.concatenate([sides[0], sides[1][::-1]])

    def lane_ids(self, direction: str) -> tuple[str, ...]:
        """Return lane ids of direction `f` or `b`, from the reference line outwards."""
        count = self.forward if direction == "f" else self.backward
        return tuple(f"{self.name}_{direction}{k}" for k in range(count))

    def edge(self, side: str) -> float:
        """Return the signed offset of the outer lane edge on side `right` or `left` [m]."""
        return -self.forward * LANE_WIDTH if side == "right" else self.backward * LANE_WIDTH


def offset_line(line: np.ndarray, offset: float) -> np.ndarray:
    """Return `line` (N, 2) moved to the left by `offset` [m], vertex by vertex."""
    segment = polyline.headings(line)
    before = np.concatenate([segment[:1], segment[:-1]])
    turn = wrap(segment - before)
    yaw = before + 0.5 * turn
    scale = offset / np.cos(0.5 * turn)
    return line + scale[:, None] * np.column_stack([-np.sin(yaw), np.cos(yaw)])


def strip(line: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the ring (M, 2) between offsets `low` < `high` of `line` (N, 2)."""
    return np.concatenate([offset_line(line, low), offset_line(line, high)[::-1]])


def _lengthened(line: np.ndarray, extend: float) -> np.ndarray:
    if extend <= 0.0:
        return line
    ends = polyline.sample(line, np.array([-extend, polyline.arc_length(line)[-1] + extend]))[:, :2]
    return np.concatenate([ends[:1], line, ends[1:]])


def turn_curve(start: np.ndarray, end: np.ndarray, spacing: float = 0.5) -> np.ndarray:
    """Return a smooth line (N, 2) from pose `start` (3,) to pose `end` (3,): a cubic close to an arc."""
    turn = abs(float(wrap(end[2] - start[2])))
    chord = float(np.hypot(*(end[:2] - start[:2])))
    radius = chord / (2.0 * np.sin(0.5 * turn)) if turn > 0.1 else None
    handle = chord / 3.0 if radius is None else 4.0 / 3.0 * np.tan(0.25 * turn) * radius
    a, d = start[:2], end[:2]
    b = a + handle * np.array([np.cos(start[2]), np.sin(start[2])])
    c = d - handle * np.array([np.cos(end[2]), np.sin(end[2])])
    t = np.linspace(0.0, 1.0, 60)[:, None]
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return polyline.resample(curve, spacing)


class MapBuilder:
    """Collects roads and links and makes a `VectorMap` of them."""

    def __init__(self) -> None:
        self.roads: dict[str, Road] = {}
        self._lanes: dict[str, Lane] = {}
        self._blocks: dict[str, Roadblock] = {}
        self._areas: list[MapArea] = []
        self._lines: list[MapLine] = []

    def add_road(self, road: Road, walkways: tuple[str, ...] = ("left", "right")) -> Road:
        """Add the lanes, roadblocks, lines and walkways of `road` and return it."""
        self.roads[road.name] = road
        for direction in "fb":
            ids = road.lane_ids(direction)
            if not ids:
                continue
            sign = -1.0 if direction == "f" else 1.0
            for k, lane_id in enumerate(ids):
                self._lanes[lane_id] = _lane(road, direction, sign, k, lane_id, ids)
            edges = sorted((0.0, sign * len(ids) * LANE_WIDTH))
            name = f"{road.name}_{direction}"
            self._blocks[name] = Roadblock(name, road.strip(*edges, extend=OVERLAP), ids)
        self._add_lines(road)
        for side in walkways:
            self._add_walkway(road, side)
        return road

    def _add_lines(self, road: Road) -> None:
        inner = [k * LANE_WIDTH for k in range(-road.forward + 1, road.backward)]
        for offset in inner:
            kind = LineKind.SOLID if offset == 0.0 else LineKind.LANE_DIVIDER
            self._line(kind, road.offset(offset))
        for side, sign in (("left", 1.0), ("right", -1.0)):
            self._line(LineKind.SOLID, road.offset(road.edge(side)))
            self._line(LineKind.ROAD_EDGE, road.offset(road.edge(side) + sign * SHOULDER))

    def _add_walkway(self, road: Road, side: str) -> None:
        sign = 1.0 if side == "left" else -1.0
        near = road.edge(side) + sign * (SHOULDER + 0.2)
        low, high = sorted((near, near + sign * WALKWAY))
        self.add_area(AreaKind.WALKWAY, road.strip(low, high))

    def _line(self, kind: LineKind, points: np.ndarray) -> None:
        self._lines.append(MapLine(f"line_{len(self._lines)}", kind, points))

    def add_area(self, kind: AreaKind, polygon: np.ndarray) -> None:
        """Add an area with ring `polygon` (M, 2)."""
        self._areas.append(MapArea(f"{kind.value}_{len(self._areas)}", kind, polygon))

    def add_crosswalk(self, road: Road, s: float, width: float = 3.0) -> None:
        """Add a crosswalk over `road` centred at arc length `s` [m] of its line."""
        at = polyline.sample(road.line, s + np.array([-0.5 * width, 0.0, 0.5 * width]))[:, :2]
        self.add_area(
            AreaKind.CROSSWALK, strip(at, road.edge("right") - SHOULDER, road.edge("left") + SHOULDER)
        )

    def add_stop_line(self, lane_id: str, s: float) -> np.ndarray:
        """Add a stop line across a lane at arc length `s` [m] and return its centre (2,)."""
        line = self._lanes[lane_id].centerline
        at = polyline.sample(line, s + np.array([-0.2, 0.0, 0.2]))[:, :2]
        self.add_area(AreaKind.STOP_LINE, strip(at, -0.45 * LANE_WIDTH, 0.45 * LANE_WIDTH))
        return at[1]

    def link(self, lane_id: str, successor_id: str) -> None:
        """Make one lane continue another directly."""
        lane, following = self._lanes[lane_id], self._lanes[successor_id]
        self._lanes[lane_id] = replace(lane, successors=(*lane.successors, successor_id))
        self._lanes[successor_id] = replace(following, predecessors=(*following.predecessors, lane_id))

    def link_roads(self, first: Road, second: Road) -> None:
        """Join two roads end to start, lane by lane, in both directions."""
        for a, b in zip(first.lane_ids("f"), second.lane_ids("f"), strict=True):
            self.link(a, b)
        for a, b in zip(second.lane_ids("b"), first.lane_ids("b"), strict=True):
            self.link(a, b)

    def connect(self, lane_id: str, successor_id: str, speed_limit: float) -> str:
        """Add a connector between two lanes through a junction and return its id."""
        a, b = self._lanes[lane_id], self._lanes[successor_id]
        start = np.append(a.centerline[-1], polyline.headings(a.centerline)[-1])
        end = np.append(b.centerline[0], polyline.headings(b.centerline)[0])
        line = turn_curve(start, end)
        block = f"{a.roadblock_id}__{b.roadblock_id}"
        connector = f"{lane_id}__{successor_id}"
        self._lanes[connector] = Lane(
            id=connector,
            centerline=line,
            polygon=strip(line, -0.5 * LANE_WIDTH, 0.5 * LANE_WIDTH),
            roadblock_id=block,
            is_connector=True,
            speed_limit=speed_limit,
        )
        self.link(lane_id, connector)
        self.link(connector, successor_id)
        known = self._blocks.get(block)
        self._blocks[block] = Roadblock(
            block, np.zeros((0, 2)), (*(known.lane_ids if known else ()), connector), is_connector=True
        )
        return connector

    def add_intersection(self, connectors: list[str], margin: float) -> None:
        """Add an intersection area around `connectors`: their convex hull and `margin` [m]."""
        hull = shapely.union_all([shapely.Polygon(self._lanes[c].polygon) for c in connectors]).convex_hull
        ring = np.array(hull.buffer(margin, join_style="mitre").exterior.coords)[:-1]
        self.add_area(AreaKind.INTERSECTION, ring)

    def build(self) -> VectorMap:
        """Return the finished map."""
        blocks = {}
        for name, block in self._blocks.items():
            if block.is_connector:
                parts = [shapely.Polygon(self._lanes[lane].polygon) for lane in block.lane_ids]
                ring = np.array(shapely.union_all(parts).buffer(0.05).convex_hull.exterior.coords)[:-1]
                block = replace(block, polygon=ring)  # noqa: PLW2901
            blocks[name] = block
        return VectorMap(dict(self._lanes), blocks, tuple(self._areas), tuple(self._lines))


def _lane(road: Road, direction: str, sign: float, k: int, lane_id: str, ids: tuple[str, ...]) -> Lane:
    centre = road.offset(sign * (k + 0.5) * LANE_WIDTH)
    edges = sorted((sign * k * LANE_WIDTH, sign * (k + 1) * LANE_WIDTH))
    return Lane(
        id=lane_id,
        centerline=centre if direction == "f" else centre[::-1],
        polygon=road.strip(*edges),
        roadblock_id=f"{road.name}_{direction}",
        left=ids[k - 1 : k] if k > 0 else (),
        right=ids[k + 1 : k + 2],
        speed_limit=road.speed_limit,
    )
