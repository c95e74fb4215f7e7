"""Shapes of lanes: polygons from centrelines and widths, and plain rings from shapely geometry."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from simengine.geometry import polyline

DEFAULT_HALF_WIDTH = 1.75
_SEAM = 0.01
_SMALL_HOLE = 1.0


def points_2d(values: object) -> np.ndarray:
    """Return points (N, 2) float64 of a list or array with two or more columns, finite rows only."""
    points = np.asarray(values, np.float64)
    if points.ndim != 2 or points.shape[1] < 2:
        return np.zeros((0, 2))
    points = points[:, :2]
    return points[np.isfinite(points).all(axis=1)].copy()


def distinct(points: np.ndarray, minimum_step: float = 0.05) -> np.ndarray:
    """Return the mask (N,) of points farther than `minimum_step` [m] from their predecessor."""
    if len(points) < 2:
        return np.ones(len(points), bool)
    return np.concatenate([[True], np.hypot(*np.diff(points, axis=0).T) > minimum_step])


def open_ring(points: np.ndarray) -> np.ndarray:
    """Return a ring (M, 2) without its repeated last point, (0, 2) if it encloses nothing."""
    if len(points) > 1 and np.allclose(points[0], points[-1]):
        points = points[:-1]
    if len(points) < 3 or Polygon(points).area < 1e-3:
        return np.zeros((0, 2))
    return points


def largest_ring(shape: BaseGeometry) -> np.ndarray:
    """Return the outer ring (M, 2) of the largest polygon in `shape`, (0, 2) if there is none."""
    polygons = polygons_of(shape)
    if not polygons:
        return np.zeros((0, 2))
    biggest = max(polygons, key=lambda polygon: polygon.area)
    return open_ring(np.asarray(biggest.exterior.coords)[:, :2])


def polygons_of(shape: BaseGeometry) -> list[Polygon]:
    """Return all non-empty polygons inside any shapely geometry."""
    return [
        part
        for part in shapely.get_parts(shapely.make_valid(shape)).tolist()
        for part in (part.geoms if isinstance(part, MultiPolygon) else [part])
        if isinstance(part, Polygon) and part.area > 1e-6
    ]


def ribbon(centerline: np.ndarray, left: np.ndarray, right: np.ndarray) -> BaseGeometry:
    """Return the strip around a centreline.

    Args:
        centerline: (N, 2), N >= 2 [m].
        left: (N,) extent to the left of each vertex [m].
        right: (N,) extent to the right [m].
    """
    direction = np.gradient(centerline, axis=0)
    direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    outer, inner = centerline + normal * left[:, None], centerline - normal * right[:, None]
    whole = Polygon(np.concatenate([inner, outer[::-1]]))
    if whole.is_valid:
        return whole
    # In bends tighter than the width the inner side folds over; the union of the quads does not.
    quads = np.stack([inner[:-1], inner[1:], outer[1:], outer[:-1]], axis=1)
    hulls = shapely.convex_hull(shapely.multipoints(quads))
    return shapely.union_all(hulls)


def ribbon_ring(centerline: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return `ribbon` as an open ring (M, 2)."""
    return largest_ring(ribbon(centerline, left, right))


def clean_widths(widths: np.ndarray | None, count: int, neighbour: float = np.nan) -> np.ndarray:
    """Return plausible half widths (N,) [m] on one side of a lane.

    Values outside 0.9-3 m (sources write 0 where no boundary is near, and tens of metres where they
    looked across a junction) become the median of the plausible ones of this lane, else half the
    distance to the neighbouring lane, else 1.75 m.

    Args:
        widths: (N,) values of the source, or None.
        count: N.
        neighbour: half the distance to the neighbouring centreline [m], NaN if there is none.
    """
    fallback = DEFAULT_HALF_WIDTH if np.isnan(neighbour) else float(np.clip(neighbour, 1.2, 2.5))
    if widths is None or len(widths) != count:
        return np.full(count, fallback)
    good = (widths >= 0.9) & (widths <= 3.0)
    return np.where(good, widths, np.median(widths[good]) if good.any() else fallback)


def plain_rings(shape: BaseGeometry, tolerance: float = 0.03) -> list[np.ndarray]:
    """Return rings (M, 2) without holes that together cover `shape`.

    A polygon with holes is cut through them; neighbouring pieces overlap by 1 cm, so no seam is lost.
    Holes below 1 m^2 are filled.

    Args:
        shape: any polygonal geometry [m].
        tolerance: how far simplification may move the outline [m].
    """
    rings: list[np.ndarray] = []
    stack = polygons_of(shapely.simplify(shape, tolerance))
    while stack:
        polygon = stack.pop()
        holes = [ring for ring in polygon.interiors if Polygon(ring).area > _SMALL_HOLE]
        if not holes:
            rings.append(open_ring(np.asarray(polygon.exterior.coords)[:, :2]))
            continue
        polygon = Polygon(polygon.exterior, holes)
        # Cutting through the median hole keeps the recursion shallow and the pieces compact.
        west, south, east, north = polygon.bounds
        axis = 0 if east - west > north - south else 1
        middles = sorted(Polygon(ring).centroid.coords[0][axis] for ring in holes)
        cut = middles[len(middles) // 2]
        for low, high in ((-1e7, cut + _SEAM / 2), (cut - _SEAM / 2, 1e7)):
            box = (low, south - 1, high, north + 1) if axis == 0 else (west - 1, low, east + 1, high)
            stack.extend(polygons_of(polygon.intersection(shapely.box(*box))))
    return [ring for ring in rings if len(ring)]


def union_of(rings: Iterable[np.ndarray]) -> BaseGeometry:
    """Return the union of open rings (M, 2); rings that cross themselves are repaired."""
    shapes = [shapely.make_valid(Polygon(ring)) for ring in rings if len(ring) >= 3]
    return shapely.union_all(shapes) if shapes else Polygon()


def resampled(points: np.ndarray, spacing: float, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return a polyline (M, 2) at about `spacing` [m], and values (N,) interpolated along with it."""
    s = polyline.arc_length(points)
    at = np.linspace(0.0, s[-1], max(int(np.ceil(s[-1] / spacing)), 1) + 1)
    columns = [np.interp(at, s, column) for column in (points[:, 0], points[:, 1], *values)]
    return (np.stack(columns[:2], axis=1), *columns[2:])
