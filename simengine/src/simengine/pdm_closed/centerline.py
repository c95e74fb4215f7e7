"""The centre line of a route: where it starts, and which lanes it follows.

Source: PDM-Closed as used by NAVSIM v1.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely

from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import shift_forward
from simengine.map.route import cheapest_path
from simengine.pdm_closed.roads import RoadLane, RoadNetwork

WINDOW_BLOCKS = 30


def starting_lane(lanes: Mapping[str, RoadLane], pose: np.ndarray, vehicle: VehicleParams) -> RoadLane:
    """Return the lane a drive starts on.

    Under the rear axle the lane with the smallest heading error; without one there, the first that holds the box
    centre, else the one nearest to the box.

    Args:
        lanes: at least one lane of the route, in route order.
        pose: (3,) rear axle in world.
        vehicle: dimensions of the ego.
    """
    candidates = list(lanes.values())
    polygons = np.array([lane.polygon for lane in candidates])
    under = np.flatnonzero(shapely.intersects(polygons, shapely.Point(pose[:2])))
    if len(under):
        return min((candidates[i] for i in under), key=lambda lane: _heading_error(lane, pose))
    centre = shift_forward(pose, vehicle.rear_axle_to_center)
    around = np.flatnonzero(shapely.contains(polygons, shapely.Point(centre[:2])))
    if len(around):
        return candidates[around[0]]
    footprint = shapely.Polygon(boxes.corners(centre, vehicle.length, vehicle.width))
    return candidates[int(np.argmin(shapely.distance(polygons, footprint)))]


def route_line(
    roads: RoadNetwork, blocks: Sequence[str], lanes: Mapping[str, RoadLane], start: RoadLane
) -> np.ndarray:
    """Return the vertices (N, 3) of the cheapest lanes from `start` to the last block, shared vertices kept twice.

    Without a way to the last block it ends with the deepest lane that was reached.
    """
    first = blocks.index(start.block)
    goal = roads.blocks[blocks[first : first + WINDOW_BLOCKS][-1]]
    path = cheapest_path(
        start.id,
        frozenset(goal.lane_ids),
        {i: [after for after in lane.successors if after in lanes] for i, lane in lanes.items()},
        {i: lane.length for i, lane in lanes.items()},
    )
    return np.concatenate([lanes[i].line for i in path])


def _heading_error(lane: RoadLane, pose: np.ndarray) -> float:
    gap = np.hypot(lane.line[:, 0] - pose[0], lane.line[:, 1] - pose[1])
    return abs(float(wrap(lane.line[np.argmin(gap), 2] - pose[2])))
