"""Which obstacles stand in the corridor of a path, and where along it, at every frame of the forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely

from simengine.pdm_closed.forecast import Forecast, is_static
from simengine.pdm_closed.path import DrivePath


class Obstacles(NamedTuple):
    """Rings that move straight on, with what the unrolling has to know of them.

    Attributes:
        points: (P, 2) vertices of all rings at time 0, ring after ring [m].
        offsets: (O + 1,) first vertex of each ring.
        drift: (O, 2) [m/s].
        heading: (O,) [rad].
        speed: (O,) [m/s]; NaN for red lights, which have none to tell.
    """

    points: np.ndarray
    offsets: np.ndarray
    drift: np.ndarray
    heading: np.ndarray
    speed: np.ndarray


class Candidates(NamedTuple):
    """Which obstacles stand in the corridor of one path, C at most at each of F frames.

    Attributes:
        index: (F, C) obstacles, -1 after the last one.
        along: (F, C) arc length of their centres on the path [m].
    """

    index: np.ndarray
    along: np.ndarray


def obstacles_of(expected: Forecast) -> Obstacles:
    """Return the obstacles of a forecast in flat arrays."""
    agents, standing = expected.agents, np.zeros((len(expected.red_lights), 2))
    rings = [*expected.corners, *(_ring(polygon) for polygon in expected.red_lights)]
    speed = np.hypot(agents.velocity[:, 0], agents.velocity[:, 1])
    speed[is_static(agents)] = 0.0
    return Obstacles(
        np.concatenate([np.zeros((0, 2)), *rings]),
        np.cumsum([0, *(len(ring) for ring in rings)]),
        np.concatenate([expected.drift, standing]),
        np.concatenate([agents.pose[:, 2], standing[:, 0]]),
        np.concatenate([speed, standing[:, 0] * np.nan]),
    )


def occupancy(expected: Forecast, times: np.ndarray) -> list[shapely.STRtree]:
    """Return a spatial index of all obstacles at each of `times` (F,) [s]."""
    return [shapely.STRtree(polygons) for polygons in expected.polygons(times)]


def candidates_on(
    path: DrivePath, corridor: shapely.Polygon, trees: Sequence[shapely.STRtree], ignored: np.ndarray
) -> Candidates:
    """Return the candidates for the leading object along one path.

    They are listed in the order of the index: it decides between obstacles at the same distance, such as several
    that the ego overlaps, and the reference takes what its index says first.

    Args:
        path: the path.
        corridor: the strip that has to be free.
        trees: the obstacles at F frames.
        ignored: (O,) obstacles that do not count.
    """
    shapely.prepare(corridor)
    found = [tree.query(corridor, predicate="intersects") for tree in trees]
    found = [index[~ignored[index]] for index in found]
    shape = (len(trees), max((len(index) for index in found), default=0))
    made = Candidates(np.full(shape, -1), np.zeros(shape))
    for frame, (index, tree) in enumerate(zip(found, trees, strict=True)):
        made.index[frame, : len(index)] = index
        if len(index):
            centroids = shapely.centroid(tree.geometries[index])
            made.along[frame, : len(index)] = shapely.line_locate_point(path.line, centroids)
    return made


def _ring(polygon: shapely.Geometry) -> np.ndarray:
    """Return the outer ring (N, 2) of a polygon, not closed; of the largest part if it has several."""
    parts = shapely.get_parts(polygon)
    parts = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    largest = parts[np.argmax(shapely.area(parts))]
    return shapely.get_coordinates(shapely.get_exterior_ring(largest))[:-1]
