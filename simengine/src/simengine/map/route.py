"""The route as one line: which lanes to follow, and whether to turn.

The rules are those by which NAVSIM's PDM-Closed finds its centre line.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence

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
    path = _cheapest_route(lanes, _starting_lane(lanes, pose), route)
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


def _cheapest_route(lanes: dict[str, Lane], start: str, route: tuple[str, ...]) -> list[str]:
    named = lambda block: frozenset(x.id for x in lanes.values() if block in (x.roadblock_id, x.id))  # noqa: E731
    goal = next((found for found in map(named, reversed(route)) if found), frozenset())
    return cheapest_path(
        start,
        goal,
        {i: [after for after in lane.successors if after in lanes] for i, lane in lanes.items()},
        {i: float(polyline.arc_length(lane.centerline)[-1]) for i, lane in lanes.items()},
    )


def cheapest_path(
    start: str,
    goals: Collection[str],
    successors: Mapping[str, Sequence[str]],
    cost: Mapping[str, float],
) -> list[str]:
    """Return the cheapest path from `start` to the first of `goals`, by Dijkstra's search as PDM-Closed does it.

    Among equally cheap candidates the one met first goes first. If no goal can be reached, the path leads to the
    deepest node, and to the cheapest of those.

    Args:
        start: first node.
        goals: nodes at which to stop.
        successors: nodes that may follow each node.
        cost: price of entering each node.
    """
    parent: dict[str, str | None] = {start: None}
    # Open nodes keep their place in the queue when a cheaper way to them is found.
    price, depth, met = {start: 1.0}, {start: 1}, {start: 0}
    queue, done = [(1.0, 0, start)], {}
    while queue:
        at, _, here = heapq.heappop(queue)
        if here in done:
            continue
        if here in goals:
            return _trace(parent, here)
        done[here] = (-depth[here], at)
        for after in successors[here]:
            total = at + cost[after]
            if after not in done and total < price.get(after, np.inf):
                price[after], depth[after], parent[after] = total, depth[here] + 1, here
                met.setdefault(after, len(met))
                heapq.heappush(queue, (total, met[after], after))
    return _trace(parent, min(done, key=lambda node: done[node]))


def _trace(parent: dict[str, str | None], last: str) -> list[str]:
    path: list[str] = []
    at: str | None = last
    while at is not None:
        path.append(at)
        at = parent[at]
    return path[::-1]
