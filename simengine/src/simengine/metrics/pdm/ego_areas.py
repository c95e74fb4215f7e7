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

STRADDLED, SURFACE, ROUTE, CROSSINGS = range(4)


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
    index, (sets, known) = drivable.index, polygon_sets(drivable, route_lanes, rule)
    flags = np.empty((5, ego.count, ego.num_states), np.bool_)
    pose = np.stack([ego.x, ego.y, ego.cos, ego.sin, ego.center_x, ego.center_y])
    half = np.array([ego.half_length, ego.half_width])
    for_rows(
        lambda a, b: _flag(pose[:, a:b], half, index.arrays, sets, known, flags[:, a:b]), ego.count, threads
    )
    return EgoAreas(*flags)


def polygon_sets(
    drivable: DrivableMap, route_lanes: Collection[str], rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sets of polygons that a rule asks for, and which of its questions the map can answer.

    Args:
        drivable: polygons around the ego.
        route_lanes: ids of the lanes and lane connectors of the route.
        rule: which polygons count for what, see `PdmParameters.areas`.

    Returns:
        Sets (4, W) in the order `STRADDLED`, `SURFACE`, `ROUTE`, `CROSSINGS`, and two flags: whether any polygon
        carries the ego, without which nothing is off the road, and whether there are lanes, without which nothing
        is oncoming.
    """
    surface = drivable.surface(rule)
    lanes = drivable.select(*(Layer if rule == "every_polygon" else LANE_LAYERS))
    route = np.array([i for i in lanes if drivable.ids[i] in route_lanes], dtype=int)
    groups = (drivable.straddled(rule), surface, route, drivable.select(Layer.INTERSECTION))
    sets = np.stack([drivable.index.words(group) for group in groups])
    return sets, np.array([len(surface) > 0, drivable.has(*LANE_LAYERS)])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _meets(found, i, sets, group):  # type: ignore[no-untyped-def]
    met = False
    for w in range(sets.shape[1]):
        met = met or (found[i, w] & sets[group, w]) != 0
    return met


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _straddles(found, i, sets, group):  # type: ignore[no-untyped-def]
    """Whether the corners i to i + 3 touch more than one polygon of a group and no polygon holds all four."""
    several, one, whole = False, False, False
    for w in range(sets.shape[1]):
        a, b, c, d = found[i, w], found[i + 1, w], found[i + 2, w], found[i + 3, w]
        touched = (a | b | c | d) & sets[group, w]
        whole = whole or (a & b & c & d & sets[group, w]) != 0
        several = several or (touched & (touched - 1)) != 0 or (one and touched != 0)
        one = one or touched != 0
    return several and not whole


@njit(cache=True, nogil=True, error_model="numpy")
def _flag(pose, half, index, sets, known, flags):  # type: ignore[no-untyped-def]
    states = pose.shape[2]
    corner, cell, inside, near_start, near, edge_start, edges = index
    # Of every state: four corners, the box centre, the rear axle.
    points, found = np.empty((states * 6, 2)), np.empty((states * 6, sets.shape[1]), np.int64)
    for p in range(pose.shape[1]):
        for s in range(states):
            cos, sin, cx, cy = pose[2, p, s], pose[3, p, s], pose[4, p, s], pose[5, p, s]
            for i in range(4):
                along = half[0] if i in (0, 3) else -half[0]
                across = half[1] if i < 2 else -half[1]
                points[s * 6 + i, 0] = cos * along - sin * across + cx
                points[s * 6 + i, 1] = sin * along + cos * across + cy
            points[s * 6 + 4, 0], points[s * 6 + 4, 1] = cx, cy
            points[s * 6 + 5, 0], points[s * 6 + 5, 1] = pose[0, p, s], pose[1, p, s]
        lookup(points, corner, cell, inside, near_start, near, edge_start, edges, found)
        for s in range(states):
            at = s * 6
            off = False
            for i in range(4):
                off = off or not _meets(found, at + i, sets, SURFACE)
            flags[0, p, s] = _straddles(found, at, sets, STRADDLED)
            flags[1, p, s] = off and known[0]
            flags[2, p, s] = known[1] and not _meets(found, at + 4, sets, ROUTE)
            flags[3, p, s] = _meets(found, at + 5, sets, CROSSINGS)
            flags[4, p, s] = _meets(found, at + 4, sets, CROSSINGS)
