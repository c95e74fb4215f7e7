"""Where the ego stands: its rectangle, and in which kinds of area it is at every state."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes
from simengine.geometry.se2 import shift_forward
from simengine.metrics.pdm.map_areas import LANE_LAYERS, DrivableMap, Layer


@dataclass(frozen=True)
class EgoAreas:
    """Flags (P, S) of where the ego stands.

    Attributes:
        multiple_lanes: it touches more than one lane and is whole inside none.
        non_drivable: at least one corner is on no drivable polygon.
        oncoming: its centre is on no lane of the route.
        in_intersection: its rear axle is inside an intersection.
    """

    multiple_lanes: np.ndarray
    non_drivable: np.ndarray
    oncoming: np.ndarray
    in_intersection: np.ndarray


def ego_centers(states: np.ndarray, vehicle: VehicleParams) -> np.ndarray:
    """Return box-centre poses (P, S, 3) of rear-axle states (P, S, 11)."""
    return shift_forward(states[..., :3], vehicle.rear_axle_to_center)


def ego_corners(states: np.ndarray, vehicle: VehicleParams) -> np.ndarray:
    """Return corners (P, S, 4, 2) of the ego: front-left, rear-left, rear-right, front-right."""
    return boxes.corners(ego_centers(states, vehicle), vehicle.length, vehicle.width)


def ego_areas(
    states: np.ndarray, vehicle: VehicleParams, drivable: DrivableMap, route_lanes: Collection[str]
) -> EgoAreas:
    """Return the area flags of ego states.

    A map without any drivable polygon says nothing about leaving the road, and one without lanes
    nothing about oncoming traffic: those flags are false then.

    Args:
        states: (P, S, 11) rear-axle states.
        vehicle: dimensions of the ego.
        drivable: polygons around the ego.
        route_lanes: ids of the lanes and lane connectors of the route.
    """
    corners = ego_corners(states, vehicle)
    centers = ego_centers(states, vehicle)[..., :2]
    lanes = drivable.select(*LANE_LAYERS)
    in_lane = drivable.contains(lanes, corners).sum(axis=-1)
    route = np.array([i for i in lanes if drivable.ids[i] in route_lanes], dtype=int)
    surface = drivable.select(*drivable.drivable_layers)
    off_surface = ~drivable.contains(surface, corners).any(axis=0)
    crossings = drivable.select(Layer.INTERSECTION)
    return EgoAreas(
        multiple_lanes=((in_lane > 0).sum(axis=0) > 1) & ~(in_lane == 4).any(axis=0),
        non_drivable=off_surface.any(axis=-1) & (len(surface) > 0),
        oncoming=~drivable.contains(route, centers).any(axis=0) & (len(lanes) > 0),
        in_intersection=drivable.contains(crossings, states[..., :2]).any(axis=0),
    )
