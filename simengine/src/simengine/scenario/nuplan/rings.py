"""Rings of map polygons: native maps hold one outline for each polygon, also where a polygon has holes."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, Point, Polygon

_SLIT = 0.001
_SPECK = 1e-3


def outlines(shape: shapely.Geometry) -> list[np.ndarray]:
    """Return the open outlines (M, 2) of all polygons in `shape`, see `outline`."""
    parts = [part for part in shapely.get_parts(shape).tolist() if isinstance(part, Polygon)]
    return [ring for ring in map(outline, parts) if len(ring)]


def largest_outline(shape: shapely.Geometry | None) -> np.ndarray:
    """Return the open outline (M, 2) of the largest polygon in `shape`, (0, 2) if there is none."""
    parts = [] if shape is None else shapely.get_parts(shape).tolist()
    return outline(_largest(parts))


def outline(polygon: Polygon) -> np.ndarray:
    """Return the open outer ring (M, 2) of `polygon`, its holes joined to the outside by slits 2 mm wide.

    Without holes it is the stored ring, vertex for vertex, even where that touches or crosses itself.
    """
    if not polygon.interiors:
        return _opened(polygon)
    pieces = [polygon] if polygon.is_valid else shapely.get_parts(shapely.make_valid(polygon)).tolist()
    whole = _largest(pieces)
    for _ in range(len(whole.interiors)):
        if not whole.interiors:
            break
        whole = _largest(shapely.get_parts(whole.difference(_slit(whole))).tolist())
    return _opened(whole)


def _opened(polygon: Polygon) -> np.ndarray:
    """Return the outer ring without its repeated last point, (0, 2) if it encloses nothing."""
    ring = shapely.get_coordinates(polygon.exterior)[:-1]
    return ring if polygon.area > _SPECK else np.zeros((0, 2))


def _slit(polygon: Polygon) -> shapely.Geometry:
    """Return a thin bar from the hole that is nearest to the outer ring; no other hole lies between."""
    outside = LineString(polygon.exterior.coords)
    hole = min(polygon.interiors, key=outside.distance)
    line = shapely.shortest_line(LineString(hole.coords), outside)
    if line.length < _SLIT:
        return Point(line.coords[0]).buffer(2 * _SLIT)
    # Square caps carry the bar a little into the hole and beyond the outer ring.
    return line.buffer(_SLIT, cap_style="square")


def _largest(parts: list[shapely.Geometry]) -> Polygon:
    polygons = [part for part in parts if isinstance(part, Polygon)]
    return max(polygons, key=lambda part: part.area) if polygons else Polygon()


def lines_of(shape: shapely.Geometry) -> list[np.ndarray]:
    """Return the polylines (N, 2) in `shape`, joined where they meet end to end."""
    parts = [part for part in shapely.get_parts(shape).tolist() if isinstance(part, LineString)]
    if len(parts) > 1:
        parts = shapely.get_parts(shapely.line_merge(MultiLineString(parts))).tolist()
    return [np.asarray(part.coords)[:, :2] for part in parts]
