"""In which kinds of area the ego stands at every state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.map_areas import LANE_LAYERS, DrivableMap, Layer
from simengine.metrics.pdm.polygon_index import lookup
from simengine.rows import for_rows


@dataclass(frozen=True)
class EgoAreas:
    """Flags (P, S) of where the ego stands.

    Attributes:
        multiple_lanes: it touches more than one lane and is whole inside none.
        non_drivable: at least one corner is on no drivable polygon.
        oncoming: its centre is on no lane of the route.
        in_intersection: its rear axle is inside an intersection.
        center_in_intersection: its box centre is inside an intersection.
    """

    multiple_lanes: np.ndarray
    non_drivable: np.ndarray
    oncoming: np.ndarray
    in_intersection: np.ndarray
    center_in_intersection: np.ndarray


def ego_areas(
    ego: EgoGeometry,
    drivable: DrivableMap,
    route_lanes: Collection[str],
    rule: str = "navsim",
    threads: int | None = None,
) -> EgoAreas:
    """Return the area flags of P sequences of ego states.

    A map without any drivable polygon says nothing about leaving the road, and one without lanes
    nothing about oncoming traffic: those flags are false then.

    Args:
        ego: geometry of the states.
        drivable: polygons around the ego.
        route_lanes: ids of the lanes and lane connectors of the route.
        rule: which polygons count for what, see `PdmParameters.areas`.
        threads: see `for_rows`.
    """
    index = drivable.index
    straddled, surface = drivable.straddled(rule), drivable.surface(rule)
    lanes = drivable.select(*(Layer if rule == "every_polygon" else LANE_LAYERS))
    route = np.array([i for i in lanes if drivable.ids[i] in route_lanes], dtype=int)
    crossings = drivable.select(Layer.INTERSECTION)
    sets = np.stack([index.words(group) for group in (straddled, surface, route, crossings)])
    known = np.array([len(surface) > 0, drivable.has(*LANE_LAYERS)])
    flags = np.empty((5, ego.count, ego.num_states), np.bool_)
    pose = np.stack([ego.x, ego.y, ego.cos, ego.sin, ego.center_x, ego.center_y])
    half = np.array([ego.half_length, ego.half_width])
    for_rows(
        lambda a, b: _flag(pose[:, a:b], half, index.arrays, sets, known, flags[:, a:b]), ego.count, threads
    )
    return EgoAreas(*flags)


@njit(cache=True, nogil=True, error_model="numpy")
def _intersects(found, group):  # type: ignore[no-untyped-def]
    for w in range(len(found)):  # noqa: SIM110 - the compiler has no generators
        if found[w] & group[w]:
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _straddles(corners, group):  # type: ignore[no-untyped-def]
    """Whether the corners touch more than one polygon of a group and no polygon holds all four."""
    several, one = False, False
    for w in range(len(group)):
        any_corner = (corners[0, w] | corners[1, w] | corners[2, w] | corners[3, w]) & group[w]
        if corners[0, w] & corners[1, w] & corners[2, w] & corners[3, w] & group[w]:
            return False
        if any_corner:
            several = several or one or (any_corner & (any_corner - 1)) != 0
            one = True
    return several


@njit(cache=True, nogil=True, error_model="numpy")
def _flag(pose, half, index, sets, known, flags):  # type: ignore[no-untyped-def]
    lanes, surface, route, crossings = sets[0], sets[1], sets[2], sets[3]
    corners = np.empty((4, sets.shape[1]), np.int64)
    found = np.empty(sets.shape[1], np.int64)
    for p in range(pose.shape[1]):
        for s in range(pose.shape[2]):
            x, y, cos, sin, cx, cy = pose[:, p, s]
            off_surface = False
            for i in range(4):
                along = half[0] if i in (0, 3) else -half[0]
                across = half[1] if i < 2 else -half[1]
                lookup(cos * along - sin * across + cx, sin * along + cos * across + cy, index, corners[i])
                off_surface = off_surface or not _intersects(corners[i], surface)
            flags[0, p, s] = _straddles(corners, lanes)
            flags[1, p, s] = off_surface and known[0]
            lookup(cx, cy, index, found)
            flags[2, p, s] = known[1] and not _intersects(found, route)
            flags[4, p, s] = _intersects(found, crossings)
            lookup(x, y, index, found)
            flags[3, p, s] = _intersects(found, crossings)
