"""The part of a nuPlan map around a drive, as a native vector map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely

from simengine.datatypes.map import Lane, Roadblock, VectorMap
from simengine.geometry import polyline
from simengine.scenario.lane_shapes import DEFAULT_HALF_WIDTH, ribbon_ring
from simengine.scenario.nuplan.geopackage import GeoPackage
from simengine.scenario.nuplan.map_areas import STOPS, read_areas
from simengine.scenario.nuplan.map_graph import (
    BASELINES,
    BLOCK_CONNECTORS,
    BLOCKS,
    CONNECTOR_POLYGONS,
    LANES,
    LaneRecord,
    MapGraph,
    read_graph,
)
from simengine.scenario.nuplan.map_lines import painted_lines, road_edges
from simengine.scenario.nuplan.map_view import MapView
from simengine.scenario.nuplan.projection import Bounds, Projection
from simengine.scenario.nuplan.rings import largest_outline
from simengine.scenario.nuplan.stop_points import stop_point

_LINKS = ("successors", "predecessors", "left", "right")


@dataclass(frozen=True)
class MapWindow:
    """What lies in a window of a map.

    Attributes:
        vector_map: in metres from the origin asked for.
        stop_points: lane id -> (2,) where its traffic light makes traffic stop [m].
        repairs: what was wrong with the map here -> number of lanes or blocks concerned.
    """

    vector_map: VectorMap
    stop_points: dict[str, np.ndarray] = field(default_factory=dict)
    repairs: dict[str, int] = field(default_factory=dict)


class NuplanMap:
    """A nuPlan `map.gpkg`: the lane graph is read once, geometries only where a window needs them."""

    def __init__(self, path: Path, name: str) -> None:
        """Open the map of the place `name`.

        Raises:
            ScenarioFormatError: the file is missing, damaged, or no nuPlan map.
        """
        self._package = GeoPackage(path)
        self._projection = Projection.of_map(self._package, name)
        self._last: tuple[tuple, MapWindow] | None = None

    def close(self) -> None:
        """Close the file."""
        self._package.close()

    @cached_property
    def graph(self) -> MapGraph:
        """Lanes, connectors and roadblocks of the whole map."""
        return read_graph(self._package)

    def window(self, bounds: Bounds, origin: np.ndarray) -> MapWindow:
        """Return what meets `bounds` (x min, y min, x max, y max) [m in the map datum].

        Roadblocks that meet it come whole, with all their lanes; links to lanes outside are cut.

        Args:
            bounds: the window.
            origin: (2,) of the vector map in the map datum [m].

        Raises:
            ScenarioFormatError: a layer is missing or the file is damaged.
        """
        # Scenarios come in order of time, and those of one place ask for the same window.
        key = (*bounds, *np.asarray(origin, np.float64).tolist())
        if self._last is None or self._last[0] != key:
            self._last = (key, self._read(bounds, np.array(key[4:])))
        return self._last[1]

    def _read(self, bounds: Bounds, origin: np.ndarray) -> MapWindow:
        view = MapView(self._package, self._projection, bounds, origin)
        rings = self._block_rings(view)
        records = self._records(view, rings)
        lanes, repairs = _lanes(view, records)
        areas = read_areas(view)
        roadblocks = _roadblocks(lanes, rings, self.graph)
        plain = [block.polygon for block in roadblocks.values() if not block.is_connector]
        lines = painted_lines(view, records) + road_edges(plain, areas, view.box)
        here = {record.id for record in records} | set(roadblocks)
        repairs |= {reason: len(here & ids) for reason, ids in self.graph.repairs.items()}
        return MapWindow(
            VectorMap(lanes, roadblocks, tuple(areas), tuple(lines)),
            _stop_points(view, records, lanes),
            {reason: count for reason, count in sorted(repairs.items()) if count},
        )

    def _block_rings(self, view: MapView) -> dict[str, np.ndarray]:
        """Return block id -> outline (M, 2) of the blocks that meet the window."""
        shapes = {False: view.meeting(BLOCKS), True: view.meeting(BLOCK_CONNECTORS)}
        return {
            block.id: largest_outline(shapes[block.is_connector][block.fid])
            for block in self.graph.blocks.values()
            if block.fid in shapes[block.is_connector]
        }

    def _records(self, view: MapView, block_ids: Iterable[str]) -> list[LaneRecord]:
        """Return the lanes of the blocks, and further ones whose own polygon meets the window."""
        wanted = [lane_id for block_id in block_ids for lane_id in self.graph.blocks[block_id].lane_ids]
        for layer, is_connector in ((LANES, False), (CONNECTOR_POLYGONS, True)):
            found = ((is_connector, fid) for fid in view.meeting(layer))
            wanted += [self._by_polygon[key] for key in found if key in self._by_polygon]
        return [self.graph.lanes[lane_id] for lane_id in dict.fromkeys(wanted)]

    @cached_property
    def _by_polygon(self) -> dict[tuple[bool, int | None], str]:
        return {(lane.is_connector, lane.polygon): lane.id for lane in self.graph.lanes.values()}


def _lanes(view: MapView, records: list[LaneRecord]) -> tuple[dict[str, Lane], dict[str, int]]:
    """Return the lanes by id, and how many lacked a part."""
    lines = view.features(BASELINES, [record.baseline for record in records])
    rings = {
        is_connector: view.features(layer, [r.polygon for r in records if r.is_connector == is_connector])
        for layer, is_connector in ((LANES, False), (CONNECTOR_POLYGONS, True))
    }
    lanes, repairs = {}, {"lane_without_baseline": 0, "lane_without_polygon": 0}
    for record in records:
        line = _longest_line(lines.get(record.baseline))
        ring = largest_outline(rings[record.is_connector].get(record.polygon))
        repairs["lane_without_baseline"] += len(line) < 2
        repairs["lane_without_polygon"] += not len(ring)
        if len(line) >= 2:
            lanes[record.id] = _lane(record, line, ring)
    return {lane_id: _linked(lane, lanes) for lane_id, lane in lanes.items()}, repairs


def _longest_line(shape: shapely.Geometry | None) -> np.ndarray:
    parts = [] if shape is None else shapely.get_parts(shape).tolist()
    if not parts:
        return np.zeros((0, 2))
    return polyline.drop_repeated(shapely.get_coordinates(max(parts, key=lambda part: part.length)))


def _lane(record: LaneRecord, line: np.ndarray, ring: np.ndarray) -> Lane:
    half = np.full(len(line), DEFAULT_HALF_WIDTH)
    return Lane(
        record.id,
        line,
        ring if len(ring) else ribbon_ring(line, half, half),
        record.block_id,
        record.is_connector,
        *(getattr(record, link) for link in _LINKS),
        record.speed_limit,
    )


def _linked(lane: Lane, lanes: Mapping[str, Lane]) -> Lane:
    return replace(lane, **{link: tuple(i for i in getattr(lane, link) if i in lanes) for link in _LINKS})


def _roadblocks(
    lanes: Mapping[str, Lane], rings: Mapping[str, np.ndarray], graph: MapGraph
) -> dict[str, Roadblock]:
    """Return the blocks of the window; those that lanes name but the map lacks have no outline."""
    members: dict[str, list[str]] = {block_id: [] for block_id in rings}
    for lane in lanes.values():
        if lane.roadblock_id:
            members.setdefault(lane.roadblock_id, []).append(lane.id)
    blocks = {}
    for block_id, lane_ids in members.items():
        known = graph.blocks.get(block_id)
        ordered = [i for i in known.lane_ids if i in lanes] if known else lane_ids
        is_connector = known.is_connector if known else lanes[lane_ids[0]].is_connector
        blocks[block_id] = Roadblock(
            block_id, rings.get(block_id, np.zeros((0, 2))), tuple(ordered), is_connector
        )
    return blocks


def _stop_points(
    view: MapView, records: list[LaneRecord], lanes: Mapping[str, Lane]
) -> dict[str, np.ndarray]:
    """Return where traffic stops for the light of each lane that has stop polygons."""
    lit = [record for record in records if record.stops and record.id in lanes]
    polygons = view.features(STOPS, dict.fromkeys(fid for record in lit for fid in record.stops))
    return {
        record.id: stop_point(lanes[record.id], lanes, [polygons[i] for i in record.stops if i in polygons])
        for record in lit
    }
