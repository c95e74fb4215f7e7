"""Where the ego stands: area flags of all states at once; the twin of `metrics.pdm.ego_areas`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.grid import Grid, upload_grid
from simengine.gpu.local_edges import local_edges
from simengine.gpu.ranges import Ranges, expand, upload_ranges
from simengine.metrics.pdm.map_areas import LANE_LAYERS, Layer
from simengine.metrics.pdm.polygon_index import BITS
from simengine.metrics.pdm.scene import PdmScene

_ON_EDGE = 1 << 16
"""Counts of crossings stay below this."""


@dataclass(frozen=True)
class AreaMap:
    """The polygon index of a scene, K polygons as W words of bits, and the sets that the rules ask for.

    Attributes:
        grid: C cells.
        inside: (W, C + 1) words of the polygons that cover a cell whole.
        near: outlines through each cell.
        word: (N,) word of the polygon of each outline.
        bit: (N,) its bit.
        edges_of: edges to test for each outline.
        edges: (4, E) ax, ay, bx, by [m].
        straddled: (W,) polygons that an ego should not straddle.
        surface: (W,) polygons that carry the ego.
        route: (W,) lanes of the route.
        crossings: (W,) intersections.
        has_surface: whether any polygon carries the ego; without one, nothing is off the road.
        has_lanes: whether there are lanes; without them, nothing is oncoming.
    """

    grid: Grid
    inside: torch.Tensor
    near: Ranges
    word: torch.Tensor
    bit: torch.Tensor
    edges_of: Ranges
    edges: torch.Tensor
    straddled: torch.Tensor
    surface: torch.Tensor
    route: torch.Tensor
    crossings: torch.Tensor
    has_surface: bool
    has_lanes: bool


@dataclass(frozen=True)
class EgoAreas:
    """Flags (P, S) of where the ego stands, see `metrics.pdm.ego_areas.EgoAreas`."""

    multiple_lanes: torch.Tensor
    non_drivable: torch.Tensor
    oncoming: torch.Tensor
    in_intersection: torch.Tensor
    center_in_intersection: torch.Tensor


def upload_areas(scene: PdmScene, device: torch.device) -> AreaMap:
    """Return the polygons of a scene on `device`, with the sets of its mode."""
    drivable, rule = scene.drivable, scene.parameters.areas
    index, surface = drivable.index, drivable.surface(rule)
    lanes = drivable.select(*(Layer if rule == "every_polygon" else LANE_LAYERS))
    route = np.array([i for i in lanes if drivable.ids[i] in scene.route_lanes], dtype=int)
    sets = (drivable.straddled(rule), surface, route, drivable.select(Layer.INTERSECTION))
    rows, columns, words = index.inside.shape
    # The cell behind the last is everything outside, where no polygon is.
    inside = np.zeros((words, rows * columns + 1), np.int64)
    inside[:, :-1] = index.inside.reshape(-1, words).T
    starts, edges = local_edges(index)

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return AreaMap(
        upload_grid(tuple(index.corner.tolist()), index.cell, rows, columns, device),
        put(inside),
        upload_ranges(index.near_start, device),
        put(index.near // BITS),
        put(np.int64(1) << (index.near % BITS)),
        upload_ranges(starts, device),
        put(edges.T),
        *(put(index.words(group)) for group in sets),
        has_surface=len(surface) > 0,
        has_lanes=drivable.has(*LANE_LAYERS),
    )


def ego_areas(ego: EgoGeometry, areas: AreaMap) -> EgoAreas:
    """Return the area flags of P sequences of S ego states."""
    found = containing(areas, _points(ego))
    corners, center, rear_axle = found[:, :4], found[:, 4], found[:, 5]
    nothing = torch.zeros_like(ego.speed, dtype=torch.bool)
    off_road = ~_meets(corners, areas.surface).all(0)
    return EgoAreas(
        multiple_lanes=_straddles(corners, areas.straddled),
        non_drivable=off_road if areas.has_surface else nothing,
        oncoming=~_meets(center, areas.route) if areas.has_lanes else nothing,
        in_intersection=_meets(rear_axle, areas.crossings),
        center_in_intersection=_meets(center, areas.crossings),
    )


def containing(areas: AreaMap, points: torch.Tensor) -> torch.Tensor:
    """Return the sets (W, ...) of polygons that strictly contain points (2, ...)."""
    cells = areas.grid.cells(points)
    found = areas.inside[:, cells]
    point, outline = expand(areas.near, cells.view(-1))
    inside = _strictly_inside(areas, points.view(2, -1)[:, point], outline)
    # Every pair of point and polygon occurs once, so that adding a bit sets it.
    place = areas.word[outline] * cells.numel() + point
    found.view(-1).index_add_(0, place, areas.bit[outline] * inside)
    return found


def _points(ego: EgoGeometry) -> torch.Tensor:
    """Return x and y (2, 6, P, S) of the four corners, the box centre and the rear axle."""
    cos, sin = ego.direction
    along, across = ego.half_length * ego.direction, ego.half_width * torch.stack([-sin, cos])
    left, right, center = along + across, along - across, ego.center
    return torch.stack(
        [center + left, center - right, center - left, center + right, center, ego.axle], dim=1
    )


def _strictly_inside(areas: AreaMap, points: torch.Tensor, outline: torch.Tensor) -> torch.Tensor:
    """Return whether points (2, K) are inside the polygons of outlines (K,); a point on an edge is not."""
    pair, edge = expand(areas.edges_of, outline)
    ends, points = areas.edges[:, edge], points[:, pair]
    a, b = ends[:2], ends[2:]
    (dx, dy), (px, py) = b - a, points - a
    side = dx * py - dy * px
    level = (a[1] > points[1]) != (b[1] > points[1])
    crossed = level & ((side > 0.0) == (b[1] > a[1]))
    within = (torch.minimum(a, b) <= points) & (points <= torch.maximum(a, b))
    on_edge = (side == 0.0) & within.all(0)
    met = torch.zeros(len(outline), dtype=torch.int32, device=points.device)
    met.index_add_(0, pair, crossed.int() + _ON_EDGE * on_edge.int())
    return (met < _ON_EDGE) & ((met & 1) == 1)


def _meets(found: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Return whether sets (W, ...) contain any polygon of a group (W,)."""
    return ((found & group.view(-1, *[1] * (found.ndim - 1))) != 0).any(0)


def _straddles(corners: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Return whether four corners (W, 4, ...) touch several polygons of a group and none holds all four."""
    a, b, c, d = corners.unbind(1)
    touched = (a | b | c | d) & group.view(-1, *[1] * (a.ndim - 1))
    whole = ((a & b & c & d & touched) != 0).any(0)
    several = ((touched & (touched - 1)) != 0).any(0) | ((touched != 0).sum(0) > 1)
    return several & ~whole
