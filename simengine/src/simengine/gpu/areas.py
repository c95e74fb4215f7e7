"""Where the ego stands: area flags of all states at once; the twin of `metrics.pdm.ego_areas`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from simengine.gpu.area_map import AreaMap
from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.ranges import expand
from simengine.gpu.room import AS_NEEDED, Room
from simengine.metrics.pdm.ego_areas import CROSSINGS, ROUTE, STRADDLED, SURFACE

_ON_EDGE = 1 << 16
"""Counts of crossings stay below this."""
_ODD_AND_NOT_ON_EDGE = -_ON_EDGE | 1


@dataclass(frozen=True)
class EgoAreas:
    """Flags (P, S) of where the ego stands, see `metrics.pdm.ego_areas.EgoAreas`."""

    multiple_lanes: torch.Tensor
    non_drivable: torch.Tensor
    oncoming: torch.Tensor
    in_intersection: torch.Tensor
    center_in_intersection: torch.Tensor


def ego_areas(ego: EgoGeometry, areas: AreaMap, room: Room = AS_NEEDED) -> tuple[EgoAreas, torch.Tensor]:
    """Return the area flags of P sequences of S ego states, and the room (2,) for outlines and edges they take."""
    found, needed = containing(areas, _points(ego), room)
    corners, center, rear_axle = found[:, :4], found[:, 4], found[:, 5]
    has_surface, has_lanes = areas.known
    # Flags compare like 0 and 1: greater means one without the other.
    flags = EgoAreas(
        multiple_lanes=_straddles(corners, areas.sets[:, STRADDLED]),
        non_drivable=has_surface > _meets(corners, areas.sets[:, SURFACE]).all(0),
        oncoming=has_lanes > _meets(center, areas.sets[:, ROUTE]),
        in_intersection=_meets(rear_axle, areas.sets[:, CROSSINGS]),
        center_in_intersection=_meets(center, areas.sets[:, CROSSINGS]),
    )
    return flags, needed


def containing(
    areas: AreaMap, points: torch.Tensor, room: Room = AS_NEEDED
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sets (W, ...) of polygons that strictly contain points (2, ...), and the room (2,) that takes."""
    cells = areas.grid.cells(points)
    found = areas.inside[:, cells]
    point, outline, outlines = expand(areas.near, cells.view(-1), room.outlines)
    inside, edges = _strictly_inside(areas, points.view(2, -1), point, outline, room.edges)
    # Every pair of point and polygon occurs once, so that adding a bit sets it.
    place = areas.word[outline] * cells.numel() + point
    found.view(-1).index_add_(0, place, areas.bit[outline] * inside)
    return found, torch.stack([outlines, edges])


def _points(ego: EgoGeometry) -> torch.Tensor:
    """Return x and y (2, 6, P, S) of the four corners, the box centre and the rear axle."""
    cos, sin = ego.direction
    along, across = ego.half_length * ego.direction, ego.half_width * torch.stack([-sin, cos])
    left, right, center = along + across, along - across, ego.center
    return torch.stack(
        [center + left, center - right, center - left, center + right, center, ego.axle], dim=1
    )


def _strictly_inside(
    areas: AreaMap, points: torch.Tensor, point: torch.Tensor, outline: torch.Tensor, room: int | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return whether points `point` (K,) are inside the polygons of outlines (K,); a point on an edge is not.

    Also returns how many pairs of those and an edge there are.
    """
    pair, edge, total = expand(areas.edges_of, outline, room)
    a, b = areas.edges[:, edge].split(2)
    point = points[:, point[pair]]
    (dx, dy), (px, py) = b - a, point - a
    side = dx * py - dy * px
    a_above, b_above = a[1] > point[1], b[1] > point[1]
    crossed = (a_above ^ b_above) & ((side > 0.0) == b_above)
    # A product that is not positive: the point is not on the same side of both ends.
    on_edge = ((point - a) * (point - b) <= 0.0).all(0) & (side == 0.0)
    met = torch.zeros(len(outline), dtype=torch.int32, device=points.device)
    met.index_add_(0, pair, crossed.int().masked_fill_(on_edge, _ON_EDGE))
    return (met & _ODD_AND_NOT_ON_EDGE) == 1, total


def _meets(found: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Return whether sets (W, ...) contain any polygon of a group (W,)."""
    return (found & group.view(-1, *[1] * (found.ndim - 1))).any(0)


def _straddles(corners: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """Return whether four corners (W, 4, ...) touch several polygons of a group and none holds all four."""
    corners = corners & group.view(-1, *[1] * (corners.ndim - 1))
    either, both = corners[:, :2] | corners[:, 2:], corners[:, :2] & corners[:, 2:]
    touched, whole = either[:, 0] | either[:, 1], (both[:, 0] & both[:, 1]).any(0)
    several = (touched & (touched - 1)).any(0)
    if len(touched) > 1:
        several |= (touched != 0).sum(0) > 1
    return several > whole
