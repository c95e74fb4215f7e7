"""From roads and links to a vector map laid out as nuPlan's.

Lanes belong to roadblocks, connectors to connector roadblocks, and junctions are covered by an intersection area,
because the drivable area of the scores is made of roadblocks and intersections only.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from simengine.datatypes.map import AreaKind, Lane, LineKind, MapArea, MapLine, Roadblock, VectorMap
from simengine.geometry import polyline
from simengine.world.roads import WALKWAY, Road, strip, turn_curve

# Neighbouring roadblocks overlap a little, because a point on a shared edge lies inside neither.
OVERLAP = 0.4


class MapBuilder:
    """Collects roads and links and makes a `VectorMap` of them."""

    def __init__(self) -> None:
        self.roads: dict[str, Road] = {}
        self._lanes: dict[str, Lane] = {}
        self._widths: dict[str, float] = {}
        self._blocks: dict[str, Roadblock] = {}
        self._areas: list[MapArea] = []
        self._lines: list[MapLine] = []

    def add_road(self, road: Road) -> Road:
        """Add the lanes, roadblocks, lines and walkways of `road` and return it."""
        self.roads[road.name] = road
        for direction in "fb":
            ids = road.lane_ids(direction)
            if not ids:
                continue
            sign = -1.0 if direction == "f" else 1.0
            for k, lane_id in enumerate(ids):
                self._lanes[lane_id] = _lane(road, direction, sign, k, lane_id, ids)
                self._widths[lane_id] = road.lane_width
            edges = sorted((0.0, sign * len(ids) * road.lane_width))
            name = f"{road.name}_{direction}"
            self._blocks[name] = Roadblock(name, road.strip(*edges, extend=OVERLAP), ids)
        self._add_lines(road)
        for side in road.walkways:
            self.add_area(
                AreaKind.WALKWAY, road.strip(*sorted((road.kerb(side, 0.2), road.kerb(side, 0.2 + WALKWAY))))
            )
        return road

    def _add_lines(self, road: Road) -> None:
        for k in range(-road.forward + 1, road.backward):
            kind = LineKind.SOLID if k == 0 else LineKind.LANE_DIVIDER
            self.add_line(kind, road.offset(k * road.lane_width))
        for side in ("left", "right"):
            self.add_line(LineKind.SOLID, road.offset(road.edge(side)))
            self.add_line(LineKind.ROAD_EDGE, road.offset(road.kerb(side)))

    def add_line(self, kind: LineKind, points: np.ndarray) -> None:
        """Add a painted line or a road edge (N, 2)."""
        self._lines.append(MapLine(f"line_{len(self._lines)}", kind, points))

    def add_area(self, kind: AreaKind, polygon: np.ndarray, name: str = "") -> None:
        """Add an area with ring `polygon` (M, 2); its id starts with `name`, by default that of its kind."""
        self._areas.append(MapArea(f"{name or kind.value}_{len(self._areas)}", kind, polygon))

    def add_crosswalk(self, road: Road, s: float, width: float = 3.0) -> None:
        """Add a crosswalk over `road` centred at arc length `s` [m] of its line."""
        at = polyline.sample(road.line, s + np.array([-0.5 * width, 0.0, 0.5 * width]))[:, :2]
        self.add_area(AreaKind.CROSSWALK, strip(at, road.kerb("right"), road.kerb("left")))

    def add_stop_line(self, lane_id: str, s: float, name: str = "stop_line") -> np.ndarray:
        """Add a stop line across a lane at arc length `s` [m] and return its centre (2,).

        Its name says why one stops there: `stop_line` at lights, `stop_sign` always, `yield` if others come.
        """
        line, width = self._lanes[lane_id].centerline, self._widths[lane_id]
        at = polyline.sample(line, s + np.array([-0.2, 0.0, 0.2]))[:, :2]
        self.add_area(AreaKind.STOP_LINE, strip(at, -0.45 * width, 0.45 * width), name)
        return at[1]

    def lane_line(self, lane_id: str) -> np.ndarray:
        """Return the centre line (N, 2) of a lane."""
        return self._lanes[lane_id].centerline

    def lane_length(self, lane_id: str) -> float:
        """Return the length of a lane's centre line [m]."""
        return float(polyline.arc_length(self._lanes[lane_id].centerline)[-1])

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

    def connect(
        self, lane_id: str, successor_id: str, speed_limit: float, line: np.ndarray | None = None
    ) -> str:
        """Add a connector between two lanes through a junction, along `line` (N, 2) if given, and return its id."""
        a, b = self._lanes[lane_id], self._lanes[successor_id]
        if line is None:
            start = np.append(a.centerline[-1], polyline.headings(a.centerline)[-1])
            end = np.append(b.centerline[0], polyline.headings(b.centerline)[0])
            line = turn_curve(start, end)
        block = f"{a.roadblock_id}__{b.roadblock_id}"
        connector = f"{lane_id}__{successor_id}"
        widths = np.linspace(self._widths[lane_id], self._widths[successor_id], len(line))
        self._widths[connector] = float(widths[-1])
        self._lanes[connector] = Lane(
            id=connector,
            centerline=line,
            polygon=strip(line, -0.5 * widths, 0.5 * widths),
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
    centre = road.offset(sign * (k + 0.5) * road.lane_width)
    edges = sorted((sign * k * road.lane_width, sign * (k + 1) * road.lane_width))
    return Lane(
        id=lane_id,
        centerline=centre if direction == "f" else centre[::-1],
        polygon=road.strip(*edges),
        roadblock_id=f"{road.name}_{direction}",
        left=ids[k - 1 : k] if k > 0 else (),
        right=ids[k + 1 : k + 2],
        speed_limit=road.speed_limit,
    )
