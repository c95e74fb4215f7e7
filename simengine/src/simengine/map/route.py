"""The route as one line: which lanes to follow, and whether to turn.

The rules are those by which NAVSIM's PDM-Closed finds its centre line.
"""

from __future__ import annotations

import heapq

import numpy as np
import shapely

from simengine.datatypes.map import Lane, VectorMap
from simengine.datatypes.observation import DrivingCommand
from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import points_to_local

COMMAND_LOOKAHEAD = 20.0
COMMAND_LATERAL_THRESHOLD = 2.0


def route_lanes(vector_map: VectorMap, route: tuple[str, ...]) -> dict[str, Lane]:
    """Return the lanes of a route given as roadblock ids, or as lane ids on maps without roadblocks."""
    wanted = set(route)
    return {
        lane.id: lane
        for lane in vector_map.lanes.values()
        if (lane.roadblock_id in wanted or lane.id in wanted) and len(lane.centerline) >= 2
    }


def route_centerline(vector_map: VectorMap, route: tuple[str, ...], pose: np.ndarray) -> np.ndarray | None:
    """Return the centre line (N, 2) of the cheapest lane path from `pose` (3,) to the end of the route.

    The path starts on the route lane that holds the rear axle with the smallest heading error, else on
    the nearest one, and follows successors on the route. Without a path to the last block it takes the
    deepest lane reached. None if no lane of the map is on the route.
    """
    lanes = route_lanes(vector_map, route)
    if not lanes:
        return None
    path = _cheapest_path(lanes, _starting_lane(lanes, pose), route)
    return np.concatenate([lanes[lane_id].centerline[:, :2] for lane_id in path])


def path_centerline(poses: np.ndarray, extension: float) -> np.ndarray | None:
    """Return a driven path (N, 3) as a line (M, 2), prolonged straight by `extension` [m] at both ends.

    Prolonging lets a faster ego earn its progress. None if the path never moves by more than 1 cm.
    """
    points = polyline.drop_repeated(poses[:, :2], 0.01)
    if len(points) < 2:
        return None
    length = polyline.arc_length(points)[-1]
    ends = polyline.sample(points, np.array([-extension, length + extension]))[:, :2]
    return np.concatenate([ends[:1], points, ends[1:]])


def driving_commands(line: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return where `line` (N, 2) leads within 20 m ahead of each of `poses` (M, 3): (M,) of `DrivingCommand`.

    NAVSIM's rule: the point of the line 20 m ahead is more than 2 m to one side.
    """
    if len(line) < 2:
        return np.full(len(poses), DrivingCommand.UNKNOWN, np.int8)
    along, _ = polyline.project(line, poses[:, :2])
    ahead = polyline.sample(line, along + COMMAND_LOOKAHEAD)
    lateral = points_to_local(poses, ahead[:, None, :2])[:, 0, 1]
    left, right = lateral > COMMAND_LATERAL_THRESHOLD, lateral < -COMMAND_LATERAL_THRESHOLD
    turns = np.where(left, DrivingCommand.LEFT, DrivingCommand.RIGHT)
    return np.where(left | right, turns, DrivingCommand.FORWARD).astype(np.int8)


def _starting_lane(lanes: dict[str, Lane], pose: np.ndarray) -> str:
    point = shapely.Point(pose[:2])
    around = [
        lane
        for lane in lanes.values()
        if len(lane.polygon) >= 3 and shapely.intersects(shapely.Polygon(lane.polygon[:, :2]), point)
    ]
    if around:
        return min(around, key=lambda lane: _heading_error(lane, pose)).id
    gaps = {i: shapely.LineString(lane.centerline[:, :2]).distance(point) for i, lane in lanes.items()}
    nearest = min(gaps.values())
    tied = [lanes[i] for i, gap in gaps.items() if gap <= nearest + 0.5]
    return min(tied, key=lambda lane: _heading_error(lane, pose)).id


def _heading_error(lane: Lane, pose: np.ndarray) -> float:
    line = lane.centerline[:, :2]
    vertex = np.argmin(np.hypot(line[:, 0] - pose[0], line[:, 1] - pose[1]))
    return float(np.abs(wrap(polyline.headings(line)[vertex] - pose[2])))


def _cheapest_path(lanes: dict[str, Lane], start: str, route: tuple[str, ...]) -> list[str]:
    goal = next(
        (block for block in reversed(route) if any(block in (x.roadblock_id, x.id) for x in lanes.values())),
        "",
    )
    queue: list[tuple[float, int, str]] = [(1.0, 0, start)]
    parent: dict[str, str | None] = {start: None}
    cost, depth, done = {start: 1.0}, {start: 0}, set()
    pushed = 0
    while queue:
        _, _, here = heapq.heappop(queue)
        if here in done:
            continue
        done.add(here)
        if goal in (lanes[here].roadblock_id, here):
            return _trace(parent, here)
        for after in lanes[here].successors:
            if after not in lanes:
                continue
            price = cost[here] + float(polyline.arc_length(lanes[after].centerline)[-1])
            if price < cost.get(after, np.inf):
                cost[after], depth[after], parent[after] = price, depth[here] + 1, here
                pushed += 1
                heapq.heappush(queue, (price, pushed, after))
    return _trace(parent, max(done, key=lambda i: (depth[i], -cost[i], i)))


def _trace(parent: dict[str, str | None], last: str) -> list[str]:
    path: list[str] = []
    at: str | None = last
    while at is not None:
        path.append(at)
        at = parent[at]
    return path[::-1]
