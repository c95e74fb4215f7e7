"""Drivable areas for maps whose source gives none.

Three ways, from the best evidence to the least: closed road outlines, lanes widened to the road
edges, lanes widened a little.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from simengine.datatypes.map import AreaKind, MapArea
from simengine.scenario.lane_shapes import plain_rings, polygons_of, resampled, ribbon, union_of

SHOULDER = 0.5
"""How far beyond the lane polygons one may drive where no road edge is known [m]."""

_REACH = 6.0
_CLOSING = 1.5
_ISLAND = 40.0


def drivable_areas(shape: BaseGeometry) -> list[MapArea]:
    """Return `shape` as areas without holes."""
    rings = plain_rings(shape)
    return [MapArea(f"drivable_{index}", AreaKind.DRIVABLE, ring) for index, ring in enumerate(rings)]


def from_lanes(rings: Iterable[np.ndarray]) -> BaseGeometry:
    """Return the union of lane polygons (M, 2) grown by `SHOULDER`, gaps between lanes filled."""
    return _fill_holes(union_of(rings).buffer(SHOULDER + _CLOSING).buffer(-_CLOSING), [])


def from_outlines(outlines: Sequence[np.ndarray], centerlines: Sequence[np.ndarray]) -> BaseGeometry:
    """Return the faces enclosed by closed road outlines (N, 2) that hold a lane centreline (N, 2)."""
    lines = _linestrings(outlines)
    if not lines or not centerlines:
        return Polygon()
    faces = polygons_of(shapely.polygonize([shapely.node(shapely.MultiLineString(lines))]))
    tree = shapely.STRtree(faces)
    held = np.zeros(len(faces))
    for line in _linestrings(centerlines):
        for index in tree.query(line, predicate="intersects"):
            held[index] += line.intersection(faces[index]).length
    return shapely.union_all([face for face, length in zip(faces, held, strict=True) if length > 2.0])


def to_edges(
    strips: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    edges: Sequence[np.ndarray],
    extra: BaseGeometry,
) -> BaseGeometry:
    """Return lanes widened on each side to the road edge, if one is within 6 m of the lane border.

    Sides without a near edge are widened by `SHOULDER`. Gaps between strips (as inside junctions) are
    filled where no road edge runs through them.

    Args:
        strips: (centerline (N, 2), left half width (N,), right half width (N,)) of each lane.
        edges: road-edge polylines (N, 2).
        extra: further drivable shape, such as driveways.
    """
    segments = [np.stack([edge[:-1], edge[1:]], axis=1) for edge in edges if len(edge) > 1]
    tree = shapely.STRtree(shapely.linestrings(np.concatenate(segments)) if segments else [])
    shapes = [shapely.make_valid(extra)]
    for centerline, left, right in strips:
        points, left_m, right_m = resampled(centerline, 1.0, left, right)
        direction = np.gradient(points, axis=0)
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
        extents = (_extent(tree, points, normal, left_m), _extent(tree, points, -normal, right_m))
        shapes.append(shapely.make_valid(ribbon(points, *extents)))
    strip_union = shapely.union_all(shapes)
    barriers = _linestrings(edges)
    closed = strip_union.buffer(_CLOSING).buffer(-_CLOSING)
    return _fill_holes(_without_crossings(strip_union, closed, barriers), barriers)


def _linestrings(lines: Iterable[np.ndarray]) -> list[LineString]:
    return [LineString(points) for points in lines if len(points) > 1]


def _extent(
    tree: shapely.STRtree, points: np.ndarray, normal: np.ndarray, half_width: np.ndarray
) -> np.ndarray:
    """Return how far (N,) [m] one may drive from centreline points (N, 2) along normals (N, 2)."""
    reach = half_width + _REACH
    rays = shapely.linestrings(np.stack([points, points + normal * reach[:, None]], axis=1))
    hit = np.full(len(points), np.inf)
    ray_index, edge_index = tree.query(rays, predicate="intersects")
    if len(ray_index):
        where = shapely.intersection(rays[ray_index], tree.geometries[edge_index])
        np.minimum.at(hit, ray_index, shapely.distance(shapely.points(points[ray_index]), where))
    return np.where(np.isfinite(hit), hit, half_width + SHOULDER)


def _without_crossings(certain: BaseGeometry, closed: BaseGeometry, edges: list[LineString]) -> BaseGeometry:
    """Return `certain` and those parts that closing added to it which no road edge touches."""
    tree = shapely.STRtree(edges)
    added = polygons_of(shapely.difference(closed, certain))
    # A hair of overlap joins the parts again, which share borders only up to rounding.
    kept = [
        part.buffer(0.02) for part in added if not len(tree.query(part, predicate="dwithin", distance=0.05))
    ]
    return shapely.union_all([certain, *kept])


def _fill_holes(shape: BaseGeometry, edges: list[LineString]) -> BaseGeometry:
    """Return `shape` with holes below 40 m^2 filled, except those with a road edge at their border."""
    tree = shapely.STRtree(edges)
    filled = []
    for polygon in polygons_of(shape):
        holes = [
            ring
            for ring in polygon.interiors
            if Polygon(ring).area > _ISLAND
            or len(tree.query(Polygon(ring), predicate="dwithin", distance=0.2))
        ]
        filled.append(Polygon(polygon.exterior, holes))
    return shapely.union_all(filled)
