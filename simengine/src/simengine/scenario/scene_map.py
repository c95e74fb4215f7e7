"""Map features of scene dictionaries (ScenarioNet and the original's) as a `VectorMap`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from shapely.geometry import Polygon

from simengine.datatypes.map import AreaKind, Lane, LineKind, MapArea, MapLine, VectorMap
from simengine.geometry import polyline
from simengine.scenario import drivable
from simengine.scenario.lane_graph import (
    Neighbour,
    find_neighbours,
    find_successors,
    group_roadblocks,
    intersections,
    with_links,
)
from simengine.scenario.lane_shapes import (
    clean_widths,
    distinct,
    open_ring,
    points_2d,
    ribbon_ring,
    union_of,
)

_LANE_TYPES = frozenset({"LANE_SURFACE_STREET", "LANE_SURFACE_UNSTRUCTURE", "LANE_FREEWAY"})
_BIKE_LANE = "LANE_BIKE_LANE"
_BIKE_HALF_WIDTH = 0.9
_MILES_PER_HOUR, _KILOMETRES_PER_HOUR = 0.44704, 1.0 / 3.6
_AREAS = {
    "CROSSWALK": AreaKind.CROSSWALK,
    "DRIVABLE_AREA": AreaKind.DRIVABLE,
    "ROAD_EDGE_SIDEWALK": AreaKind.WALKWAY,
    "SIDEWALK": AreaKind.WALKWAY,
    "WALKWAY": AreaKind.WALKWAY,
    "CARPARK": AreaKind.CARPARK,
    "STOP_LINE": AreaKind.STOP_LINE,
}


@dataclass(frozen=True)
class SourceRules:
    """What a source means by its map features.

    Attributes:
        outline_prefix: ids of line features that are closed road outlines start so; "" if none are.
        bare_lane_is_connector: lanes without a polygon lie in junctions, others do not.
        default_speed_limits: the source writes a constant, not real limits.
        infer_connectors: nothing says which lanes lie in junctions; forks and merges do.
    """

    outline_prefix: str = ""
    bare_lane_is_connector: bool = False
    default_speed_limits: bool = False
    infer_connectors: bool = False


@dataclass(frozen=True)
class _RawLane:
    """A lane as the source has it."""

    centerline: np.ndarray
    polygon: np.ndarray
    feature: Mapping


def clean_features(features: Mapping, offset: np.ndarray) -> dict[str, dict]:
    """Return features with string keys and shapes as (N, 2) float64 arrays less `offset` (2,) [m]."""
    cleaned = {}
    for key, feature in features.items():
        shapes = {
            name: points_2d(feature[name]) - offset for name in ("polyline", "polygon") if name in feature
        }
        cleaned[str(key)] = {**feature, "type": str(feature.get("type")), **shapes}
    return cleaned


def read_map(features: Mapping, rules: SourceRules) -> tuple[VectorMap, frozenset[str]]:
    """Return the map and the ids of lanes that the source marks as on the route.

    Missing lane polygons, links, roadblocks, junctions and drivable areas are derived; no features
    give an empty map.

    Args:
        features: what `clean_features` returned.
        rules: what the source means.
    """
    if not features:
        return VectorMap(), frozenset()
    raw = _raw_lanes(features)
    centerlines = {i: lane.centerline for i, lane in raw.items()}
    neighbours = find_neighbours(centerlines)
    strips = {i: (lane.centerline, *_half_widths(lane, neighbours[i])) for i, lane in raw.items()}
    lanes = {i: _lane(i, lane, strips[i], rules) for i, lane in raw.items()}
    if not any(lane.successors or lane.predecessors for lane in lanes.values()):
        found = find_successors(centerlines)
        lanes = {i: replace(lane, successors=found[i]) for i, lane in lanes.items()}
    lanes = with_links(lanes, neighbours)
    if rules.infer_connectors:
        lanes = _infer_connectors(lanes)
    lanes, roadblocks = group_roadblocks(lanes, neighbours)
    areas = _areas(features)
    if not any(area.kind == AreaKind.DRIVABLE for area in areas):
        areas += _drivable(features, rules, strips, lanes)
    areas += intersections(lanes)
    on_route = frozenset(i for i, lane in raw.items() if lane.feature.get("on_route"))
    return VectorMap(lanes, roadblocks, tuple(areas), tuple(_lines(features, rules))), on_route


def _polyline(feature: Mapping) -> np.ndarray:
    return feature.get("polyline", np.zeros((0, 2)))


def _polygon(feature: Mapping) -> np.ndarray:
    return feature.get("polygon", np.zeros((0, 2)))


def _raw_lanes(features: Mapping) -> dict[str, _RawLane]:
    raw = {}
    for key, feature in features.items():
        if feature["type"] not in _LANE_TYPES:
            continue
        centerline = _polyline(feature)
        centerline = centerline[distinct(centerline)]
        if len(centerline) >= 2:
            raw[key] = _RawLane(centerline, open_ring(_polygon(feature)), feature)
    return raw


def _half_widths(lane: _RawLane, neighbours: list[Neighbour]) -> tuple[np.ndarray, np.ndarray]:
    """Return the extent (N,) [m] to the left and to the right of each vertex."""
    count = len(lane.centerline)
    columns: list[np.ndarray | None] = [None, None]
    widths = np.asarray(lane.feature.get("width", ()), np.float64)
    if widths.ndim == 2 and len(widths) == len(lane.feature["polyline"]):
        kept = distinct(lane.feature["polyline"])
        columns = [widths[kept, 0], widths[kept, 1]]
    sides = []
    for values, sign in zip(columns, (1.0, -1.0), strict=True):
        gaps = [0.5 * abs(n.distance) for n in neighbours if n.distance * sign > 0]
        sides.append(clean_widths(values, count, gaps[0] if gaps else np.nan))
    return sides[0], sides[1]


def _lane(lane_id: str, raw: _RawLane, strip: tuple[np.ndarray, ...], rules: SourceRules) -> Lane:
    feature = raw.feature
    connector = bool(
        feature.get("is_intersection")
        or feature.get("interpolating")
        or feature["type"] == "LANE_SURFACE_UNSTRUCTURE"
        or (rules.bare_lane_is_connector and not len(raw.polygon))
    )
    return Lane(
        id=lane_id,
        centerline=raw.centerline,
        polygon=raw.polygon if len(raw.polygon) else ribbon_ring(*strip),
        roadblock_id=str(feature.get("roadblock_id") or ""),
        is_connector=connector,
        successors=tuple(str(i) for i in feature.get("exit_lanes", ())),
        predecessors=tuple(str(i) for i in feature.get("entry_lanes", ())),
        speed_limit=np.nan if rules.default_speed_limits else _speed_limit(feature),
    )


def _speed_limit(feature: Mapping) -> float:
    """Return the limit [m/s], NaN where the source has none or writes zero."""
    kmh, mph = feature.get("speed_limit_kmh"), feature.get("speed_limit_mph")
    limit = float(kmh) * _KILOMETRES_PER_HOUR if kmh else float(mph or 0.0) * _MILES_PER_HOUR
    return limit if limit > 0 else float("nan")


def _infer_connectors(lanes: Mapping[str, Lane]) -> dict[str, Lane]:
    """Return lanes with those marked as connectors that leave a fork or enter a merge."""
    marked = {}
    for i, lane in lanes.items():
        forked = any(len(lanes[k].successors) > 1 for k in lane.predecessors)
        merged = any(len(lanes[k].predecessors) > 1 for k in lane.successors)
        marked[i] = replace(lane, is_connector=forked or merged)
    return marked


def _areas(features: Mapping) -> list[MapArea]:
    areas = []
    for key, feature in features.items():
        kind = _AREAS.get(feature["type"])
        ring = open_ring(_polygon(feature)) if kind else ()
        if len(ring):
            areas.append(MapArea(key, kind, ring))
    return areas


def _lines(features: Mapping, rules: SourceRules) -> list[MapLine]:
    lines = []
    for key, feature in features.items():
        kind = _line_kind(key, feature["type"], rules)
        points = polyline.drop_repeated(_polyline(feature)) if kind else ()
        if kind and len(points) >= 2:
            lines.append(MapLine(key, kind, points))
    return lines


def _line_kind(key: str, name: str, rules: SourceRules) -> LineKind | None:
    if name.startswith("ROAD_EDGE") or (rules.outline_prefix and key.startswith(rules.outline_prefix)):
        return LineKind.ROAD_EDGE
    if name.startswith("ROAD_LINE_BROKEN"):
        return LineKind.LANE_DIVIDER
    return LineKind.SOLID if name.startswith("ROAD_LINE") else None


def _drivable(
    features: Mapping, rules: SourceRules, strips: Mapping, lanes: Mapping[str, Lane]
) -> list[MapArea]:
    """Return drivable areas from the best evidence that the source has."""
    if rules.outline_prefix:
        outlines = [
            _polyline(feature) for key, feature in features.items() if key.startswith(rules.outline_prefix)
        ]
        shape = drivable.from_outlines(outlines, [lane.centerline for lane in lanes.values()])
        if not shape.is_empty:
            return drivable.drivable_areas(shape.union(union_of(lane.polygon for lane in lanes.values())))
    edges = [_polyline(feature) for feature in features.values() if feature["type"].startswith("ROAD_EDGE")]
    if any(len(edge) > 1 for edge in edges):
        return drivable.drivable_areas(
            drivable.to_edges(_all_strips(features, strips), edges, _driveways(features))
        )
    return drivable.drivable_areas(drivable.from_lanes(lane.polygon for lane in lanes.values()))


def _all_strips(features: Mapping, strips: Mapping) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return the strips of all lanes, those for bicycles too: they are paved and not kerbed off."""
    bikes = []
    for feature in features.values():
        if feature["type"] == _BIKE_LANE:
            points = _polyline(feature)
            points = points[distinct(points)]
            if len(points) >= 2:
                half = np.full(len(points), _BIKE_HALF_WIDTH)
                bikes.append((points, half, half))
    return [*strips.values(), *bikes]


def _driveways(features: Mapping) -> Polygon:
    rings = [_polygon(f) for f in features.values() if f["type"] == "DRIVEWAY"]
    return union_of(ring for ring in map(open_ring, rings) if len(ring))
