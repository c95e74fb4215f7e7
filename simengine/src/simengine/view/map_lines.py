"""The vector map as coloured line segments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from simengine.datatypes.map import AreaKind, LineKind, VectorMap
from simengine.view.colours import Colour

_CENTER: Colour = (150, 190, 235)
_BORDER: Colour = (205, 210, 215)
_LINES: dict[LineKind, Colour] = {
    LineKind.LANE_DIVIDER: (250, 250, 250),
    LineKind.SOLID: (250, 245, 200),
    LineKind.ROAD_EDGE: (240, 150, 110),
}
_AREAS: dict[AreaKind, Colour] = {
    AreaKind.CROSSWALK: (245, 245, 120),
    AreaKind.STOP_LINE: (240, 70, 60),
    AreaKind.WALKWAY: (150, 205, 150),
    AreaKind.INTERSECTION: (170, 150, 220),
    AreaKind.DRIVABLE: (130, 135, 145),
    AreaKind.CARPARK: (130, 135, 145),
}


def map_segments(vector_map: VectorMap) -> tuple[np.ndarray, np.ndarray]:
    """Return the segments (N, 2, 2) [m] of all lines of a map and their colours (N, 2, 3) uint8."""
    parts, colours = [np.zeros((0, 2, 2))], [np.zeros((0, 2, 3), np.uint8)]
    for points, colour in _polylines(vector_map):
        segments = polyline_segments(points)
        parts.append(segments)
        colours.append(np.broadcast_to(np.array(colour, np.uint8), (len(segments), 2, 3)))
    return np.concatenate(parts), np.concatenate(colours)


def polyline_segments(points: np.ndarray) -> np.ndarray:
    """Return the N - 1 segments (N - 1, 2, D) of a polyline (N, D)."""
    points = np.asarray(points, dtype=np.float64)
    return np.stack([points[:-1], points[1:]], axis=1)


def _polylines(vector_map: VectorMap) -> Iterator[tuple[np.ndarray, Colour]]:
    for area in vector_map.areas:
        if area.kind in _AREAS and len(area.polygon):
            yield _closed(area.polygon), _AREAS[area.kind]
    for lane in vector_map.lanes.values():
        if len(lane.polygon) and not lane.is_connector:
            yield _closed(lane.polygon), _BORDER
        yield lane.centerline, _CENTER
    for line in vector_map.lines:
        yield line.points, _LINES[line.kind]


def _closed(ring: np.ndarray) -> np.ndarray:
    return np.concatenate([ring[:, :2], ring[:1, :2]])
