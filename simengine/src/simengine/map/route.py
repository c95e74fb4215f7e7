"""The route as one line: which lanes to follow, and whether to turn."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from simengine.datatypes.map import Lane, VectorMap
from simengine.datatypes.observation import DrivingCommand
from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import points_to_local

COMMAND_LOOKAHEAD = 20.0
COMMAND_LATERAL_THRESHOLD = 2.0


def route_lanes(vector_map: VectorMap, route: Sequence[str]) -> list[Lane]:
    """Return the lanes of the roadblocks (or the lanes themselves) named by `route`, in its order.

    Names the map does not know are skipped: logged routes reach beyond the mapped square.
    """
    lanes: dict[str, Lane] = {}
    for name in route:
        block = vector_map.roadblocks.get(name)
        for lane_id in block.lane_ids if block else (name,):
            if lane_id in vector_map.lanes:
                lanes[lane_id] = vector_map.lanes[lane_id]
    return list(lanes.values())


def starting_lane(lanes: Sequence[Lane], pose: np.ndarray) -> Lane | None:
    """Return the lane that fits `pose` (3,) best: near, and heading the same way; None without lanes."""

    def misfit(lane: Lane) -> float:
        _, offset = polyline.project(lane.centerline, pose[:2])
        vertex = int(np.argmin(((lane.centerline - pose[:2]) ** 2).sum(1)))
        heading = polyline.headings(lane.centerline)[vertex]
        # A metre off counts like 0.5 rad: parallel lanes differ by 3.5 m, crossing ones by a right angle.
        return abs(float(offset)) + 2.0 * abs(float(wrap(heading - pose[2])))

    return min(lanes, key=misfit, default=None)


def route_centerline(vector_map: VectorMap, route: Sequence[str], pose: np.ndarray) -> np.ndarray | None:
    """Return the centre line (N, 2) of the lanes to follow from `pose` (3,) along `route`.

    Shortest way from the starting lane over successors within the route to its last roadblock, or as far
    along the route as lanes connect. None where map or route say nothing.
    """
    lanes = {lane.id: lane for lane in route_lanes(vector_map, route)}
    start = starting_lane(list(lanes.values()), pose)
    if start is None:
        return None
    rank = {name: index for index, name in enumerate(route)}
    goal_rank = lambda lane: rank.get(lane.roadblock_id, rank.get(lane.id, 0))  # noqa: E731
    last = max(goal_rank(lane) for lane in lanes.values())
    queue: list[tuple[float, int, tuple[str, ...]]] = [(0.0, 0, (start.id,))]
    seen: set[str] = set()
    best, order = (start.id,), 0
    while queue:
        cost, _, path = heapq.heappop(queue)
        lane = lanes[path[-1]]
        if lane.id in seen:
            continue
        seen.add(lane.id)
        if goal_rank(lane) > goal_rank(lanes[best[-1]]):
            best = path
        if goal_rank(lane) == last:
            break
        for successor in lane.successors:
            if successor in lanes and successor not in seen:
                order += 1
                length = polyline.arc_length(lanes[successor].centerline)[-1]
                heapq.heappush(queue, (cost + length, order, (*path, successor)))
    return polyline.drop_repeated(np.concatenate([lanes[name].centerline for name in best]), 1e-3)


def driving_command(line: np.ndarray, pose: np.ndarray) -> DrivingCommand:
    """Return where `line` (N, 2) leads within 20 m ahead of `pose` (3,): left, forward or right.

    NAVSIM's rule: the point of the line 20 m ahead is more than 2 m to one side.
    """
    if len(line) < 2:
        return DrivingCommand.UNKNOWN
    along, _ = polyline.project(line, pose[:2])
    ahead = polyline.sample(line, along + COMMAND_LOOKAHEAD)
    lateral = points_to_local(pose, ahead[None, :2])[0, 1]
    if lateral > COMMAND_LATERAL_THRESHOLD:
        return DrivingCommand.LEFT
    if lateral < -COMMAND_LATERAL_THRESHOLD:
        return DrivingCommand.RIGHT
    return DrivingCommand.FORWARD
