"""The route of a logged drive: lanes under the ego path, in order, and on beyond its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import shapely

from simengine.datatypes.map import Lane
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

_NEAR = 4.0
_STEP = 1.0
_LOOK_AHEAD = 150.0
_STAY, _FOLLOW, _CHANGE, _JUMP = 0.0, 0.1, 3.0, 12.0


def lanes_along(lanes: Mapping[str, Lane], path: np.ndarray, preferred: Collection[str] = ()) -> list[str]:
    """Return the ids of the lanes that a drive used, in order.

    The cheapest sequence is chosen among lanes near each pose: distance and direction count at each
    pose, and changes to a lane that does not follow cost more than changes to one that does.

    Args:
        lanes: the lane graph.
        path: poses (T, 3) of the rear axle in the world frame.
        preferred: lanes that the source marks as on the route.
    """
    poses = _thinned(path)
    candidates = _candidates(lanes, poses, frozenset(preferred))
    cost: dict[str, float] = {}
    history: list[dict[str, str]] = []
    for near in candidates:
        if not near:
            continue
        if not cost:
            cost, back = dict(near), {i: i for i in near}
        else:
            best, back = {}, {}
            for i, own in near.items():
                moves = [(total + _transition(lanes, before, i), before) for before, total in cost.items()]
                total, back[i] = min(moves)
                best[i] = total + own
            cost = best
        history.append(back)
    if not cost:
        return []
    lane = min(cost, key=lambda i: (cost[i], i))
    sequence = [lane]
    for back in reversed(history[1:]):
        lane = back[lane]
        if lane != sequence[-1]:
            sequence.append(lane)
    return sequence[::-1]


def route_of_drive(
    lanes: Mapping[str, Lane], path: np.ndarray, preferred: Collection[str] = ()
) -> tuple[str, ...]:
    """Return the roadblocks of a drive along `path` (T, 3) and on for about 150 m; empty without lanes."""
    sequence = lanes_along(lanes, path, preferred)
    return roadblock_route(lanes, extend(lanes, sequence, preferred))


def _thinned(path: np.ndarray) -> np.ndarray:
    s = polyline.arc_length(path)
    keep = np.unique(np.searchsorted(s, np.arange(0.0, s[-1] + _STEP, _STEP)).clip(0, len(s) - 1))
    return path[keep]


def _candidates(
    lanes: Mapping[str, Lane], poses: np.ndarray, preferred: frozenset[str]
) -> list[dict[str, float]]:
    ids = list(lanes)
    if not ids:
        return []
    tree = shapely.STRtree([shapely.linestrings(lanes[i].centerline) for i in ids])
    pose_index, lane_index = tree.query(shapely.points(poses[:, :2]), predicate="dwithin", distance=_NEAR)
    near: list[dict[str, float]] = [{} for _ in poses]
    for k in np.unique(lane_index):
        line, at = lanes[ids[k]].centerline, pose_index[lane_index == k]
        along, offset = polyline.project(line, poses[at, :2])
        turn = np.abs(wrap(polyline.sample(line, along)[:, 2] - poses[at, 2]))
        penalty = 0.0 if ids[k] in preferred or not preferred else 1.0
        for index, side, angle in zip(at, np.abs(offset), turn, strict=True):
            if angle < 1.2:
                near[index][ids[k]] = float(side + 2.0 * angle + penalty)
    return near


def _transition(lanes: Mapping[str, Lane], before: str, after: str) -> float:
    if before == after:
        return _STAY
    lane = lanes[before]
    if after in lane.successors:
        return _FOLLOW
    return _CHANGE if after in (*lane.left, *lane.right) else _JUMP


def extend(lanes: Mapping[str, Lane], sequence: list[str], preferred: Collection[str] = ()) -> list[str]:
    """Return `sequence` continued along successors for about 150 m: preferred ones, else the straightest."""
    if not sequence:
        return []
    result, length = list(sequence), 0.0
    while length < _LOOK_AHEAD:
        lane = lanes[result[-1]]
        following = [i for i in lane.successors if i not in result]
        if not following:
            break
        yaw = polyline.headings(lane.centerline)[-1]
        straight = {i: abs(float(wrap(polyline.headings(lanes[i].centerline)[-1] - yaw))) for i in following}
        result.append(min(following, key=lambda i: (i not in preferred, straight[i], i)))
        length += polyline.arc_length(lanes[result[-1]].centerline)[-1]
    return result


def roadblock_route(lanes: Mapping[str, Lane], sequence: list[str]) -> tuple[str, ...]:
    """Return the roadblocks (lane ids where there are none) of a lane sequence, each once, gaps closed."""
    full: list[str] = []
    for lane_id in sequence:
        if full and lane_id not in lanes[full[-1]].successors:
            full.extend(_bridge(lanes, full[-1], lane_id))
        full.append(lane_id)
    return tuple(dict.fromkeys(lanes[i].roadblock_id or i for i in full))


def _bridge(lanes: Mapping[str, Lane], before: str, after: str, depth: int = 4) -> list[str]:
    """Return the lanes of the shortest path from `before` to `after`, both left out, or nothing."""
    paths = [[before]]
    for _ in range(depth):
        longer = []
        for path in paths:
            for following in lanes[path[-1]].successors:
                if following == after:
                    return path[1:]
                longer.append([*path, following])
        paths = longer[:200]
    return []
