"""Finding what is in the way along a path.

A vehicle sweeps its box along its path; the gap to an obstacle is how far it can go before the boxes touch.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.agents.paths import PathSet
from simengine.geometry.overlap import box_overlap

BISECTIONS = 6
CROSSING_SINE = 0.5
MERGE_GAP_SHARE = 0.75
# Rows of a path between two tests; the boxes are far longer than the metre this makes.
STRIDE = 2

# Columns of an obstacle row: pose, half size, velocity, and how much it may be squeezed past.
OBSTACLE_COLUMNS = ("x", "y", "yaw", "half_length", "half_width", "vx", "vy", "margin", "yields")


@njit(cache=True, nogil=True, error_model="numpy")
def path_pose(points, start, count, step, s):  # type: ignore[no-untyped-def]
    """Return x, y, yaw, limit at arc length `s` of one path in a flat table; yaw is unwrapped."""
    u = s / step
    k = min(max(int(np.floor(u)), 0), count - 2)
    f = u - k
    a, b = start + k, start + k + 1
    yaw = points[a, 2] + f * (points[b, 2] - points[a, 2]) if f <= 1.0 else points[b, 2]
    limit = points[a, 3] + min(f, 1.0) * (points[b, 3] - points[a, 3])
    return (
        points[a, 0] + f * (points[b, 0] - points[a, 0]),
        points[a, 1] + f * (points[b, 1] - points[a, 1]),
        yaw,
        limit,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def project_one(points, start, count, step, x, y, yaw):  # type: ignore[no-untyped-def]
    """Return the arc length of the point of a path nearest to (x, y) that also points along `yaw`.

    The last segment goes on for ever, the first one starts where it starts.
    """
    best, best_s, k = np.inf, 0.0, 0
    while k < count - 1:
        a = start + k
        ex, ey = points[a + 1, 0] - points[a, 0], points[a + 1, 1] - points[a, 1]
        rx, ry = x - points[a, 0], y - points[a, 1]
        squared = ex * ex + ey * ey
        t = max((rx * ex + ry * ey) / max(squared, 1e-12), 0.0)
        if k < count - 2:
            t = min(t, 1.0)
        gx, gy = rx - t * ex, ry - t * ey
        cost = gx * gx + gy * gy
        if cost < best:
            apart = cost
            # Where a path crosses itself the branch with the right direction is meant.
            cost += 20.0 * (1.0 - np.cos(yaw - points[a, 2]))
            if cost < best:
                best, best_s = cost, (k + t) * step
            cost = apart
        # Segments that are too far along the path to be nearer are skipped, but never the endless last one.
        skip = max(int((np.sqrt(cost) - np.sqrt(best)) / step), 1)
        k = min(k + skip, max(count - 2, k + 1))
    return best_s


@njit(cache=True, nogil=True, error_model="numpy")
def _yields(distance, speed, other_speed, time, length, crossing, patient):  # type: ignore[no-untyped-def]
    """Return the gap to keep because another mover will be in the way after `time`, infinity to go first.

    `distance` is how far the vehicle can go until it touches where the other will be then.
    """
    if crossing:
        own_time = distance / max(speed, 1.0)
        enters, leaves = time - 0.25, time + length / max(other_speed, 0.5) + 0.25
        slack = 1.5 if patient else 0.0
        return distance if enters < own_time + slack and own_time < leaves + 0.5 else np.inf
    # Two that merge: whoever has farther to go falls in behind, without slamming on the brakes.
    behind = distance - other_speed * time
    if behind < (-3.0 if patient else 0.0):
        return np.inf
    return max(behind, MERGE_GAP_SHARE * (2.0 + 1.4 * speed))


@njit(cache=True, nogil=True, error_model="numpy")
def _touch_distance(points, start, count, step, s, low, high, hl, side, o):  # type: ignore[no-untyped-def]
    """Return the distance between `low` and `high` at which the boxes first touch."""
    oc, osn = np.cos(o[2]), np.sin(o[2])
    for _ in range(BISECTIONS):
        mid = 0.5 * (low + high)
        x, y, yaw, _ = path_pose(points, start, count, step, s + mid)
        if box_overlap(x, y, np.cos(yaw), np.sin(yaw), hl, side, o[0], o[1], oc, osn, o[3], o[4]):
            high = mid
        else:
            low = mid
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def contact(points, start, count, step, s, speed, hl, hw, o, ahead, later, times):  # type: ignore[no-untyped-def]
    """Return the free distance until one obstacle, infinity if it is not in the way.

    `o` is an obstacle row, `later` (M, 5) its predicted x, y, yaw, cosine and sine at `times` (M,).
    """
    ox, oy, oc, osn, ohl, ohw = o[0], o[1], np.cos(o[2]), np.sin(o[2]), o[3], o[4]
    side, v = hw + o[7], np.hypot(o[5], o[6])
    moves = len(times) if v > 0.3 else 0
    around = np.hypot(hl, side) + np.hypot(ohl, ohw)
    # Predicted boxes are longer, so that they cover the way between two times.
    stretch = 0.25 * v
    x, y, yaw, _ = path_pose(points, start, count, step, s)
    c, sn = np.cos(yaw), np.sin(yaw)
    if box_overlap(x, y, c, sn, hl, side, ox, oy, oc, osn, ohl, ohw):
        return 0.0 if (ox - x) * c + (oy - y) * sn > 0.0 else np.inf
    k, before, yielding, met = int(s / step) + 1, 0.0, np.inf, 0
    while k < count and k * step - s < ahead:
        done, row = k * step - s, start + k
        x, y, c, sn = points[row, 0], points[row, 1], points[row, 4], points[row, 5]
        clear = np.hypot(ox - x, oy - y) - around
        if clear < 0.0 and box_overlap(x, y, c, sn, hl, side, ox, oy, oc, osn, ohl, ohw):
            return min(_touch_distance(points, start, count, step, s, before, done, hl, side, o), yielding)
        if yielding == np.inf:
            for m in range(moves):
                apart = np.hypot(later[m, 0] - x, later[m, 1] - y) - around - stretch
                clear = min(clear, apart)
                # Only the first touch tells who is behind whom.
                if apart > 0.0 or met & (1 << m):
                    continue
                lc, ls = later[m, 3], later[m, 4]
                if box_overlap(x, y, c, sn, hl, side, later[m, 0], later[m, 1], lc, ls, ohl + stretch, ohw):
                    met |= 1 << m
                    crosses = abs(c * ls - sn * lc) > CROSSING_SINE
                    found = _yields(before, speed, v, times[m], ohl + hw, crosses, o[8] < 0.5)
                    yielding = min(yielding, found)
        # No contact is possible before the circles around both boxes meet: skip that far at once.
        before, k = done, k + max(int(clear / step), STRIDE)
    return yielding


@njit(cache=True, nogil=True, error_model="numpy")
def leads(paths, rows, s, speed, half, obstacles, ignore, ahead, later, times, foresee):  # type: ignore[no-untyped-def]
    """Return gap, speed of the leader along the path, and its row in `obstacles` (-1 for none), each (M,).

    Of obstacles at the same distance the slowest leads, so that their order does not matter.

    Args:
        paths: `PathSet.flat` of the paths of all agents.
        rows: (M,) int64 path of each searching vehicle.
        s: (M,) arc lengths of their box centres [m].
        speed: (M,) their speeds [m/s].
        half: (M, 2) half length and half width [m].
        obstacles: (K, 9), see `OBSTACLE_COLUMNS`; world frame.
        ignore: (M, K) bool, pairs to skip (a vehicle and itself).
        ahead: (M,) how far to look [m].
        later: (K, T, 5) predicted poses of the obstacles, see `with_direction`.
        times: (T,) rising times of these predictions [s]; none looks at the present only.
        foresee: (M, K) bool, where the predictions count.

    Returns:
        Distance until the boxes touch, infinity where nothing is in the way, and the obstacle's speed
        along the path at the contact, never negative.
    """
    points, starts, counts, steps = paths
    gap = np.full(len(rows), np.inf)
    lead_speed = np.zeros(len(rows))
    lead = np.full(len(rows), -1)
    last = times[-1] + 0.25 if len(times) else 0.0
    for i in range(len(rows)):
        p = rows[i]
        start, count, step = starts[p], counts[p], steps[p]
        x, y, _, _ = path_pose(points, start, count, step, s[i])
        for j in range(len(obstacles)):
            if ignore[i, j]:
                continue
            o = obstacles[j]
            moves = foresee[i, j]
            reach = ahead[i] + half[i, 0] + o[3] + o[4] + 3.0
            if moves:
                reach += np.hypot(o[5], o[6]) * last
            if (o[0] - x) ** 2 + (o[1] - y) ** 2 > reach * reach:
                continue
            found = contact(
                points,
                start,
                count,
                step,
                s[i],
                speed[i],
                half[i, 0],
                half[i, 1],
                o,
                ahead[i],
                later[j],
                times if moves else times[:0],
            )
            if found > gap[i] or found == np.inf:
                continue
            _, _, at, _ = path_pose(points, start, count, step, s[i] + found)
            along = max(o[5] * np.cos(at) + o[6] * np.sin(at), 0.0)
            if found < gap[i] or along < lead_speed[i]:
                gap[i], lead_speed[i], lead[i] = found, along, j
    return gap, lead_speed, lead


@njit(cache=True, nogil=True, error_model="numpy")
def _project(paths, rows, poses):  # type: ignore[no-untyped-def]
    points, starts, counts, steps = paths
    out = np.empty(len(rows))
    for i in range(len(rows)):
        p = rows[i]
        out[i] = project_one(points, starts[p], counts[p], steps[p], poses[i, 0], poses[i, 1], poses[i, 2])
    return out


def project(paths: PathSet, rows: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return the arc lengths (M,) [m] on paths `rows` (M,) nearest to `poses` (M, 3)."""
    return _project(paths.flat, np.asarray(rows, np.int64), np.ascontiguousarray(poses, np.float64))


def with_direction(poses: np.ndarray) -> np.ndarray:
    """Return `poses` (..., 3) with cosine and sine of their yaw appended (..., 5)."""
    poses = np.ascontiguousarray(poses, np.float64)
    return _with_direction(poses.reshape(-1, 3)).reshape(*poses.shape[:-1], 5)


@njit(cache=True, nogil=True, error_model="numpy")
def _with_direction(poses):  # type: ignore[no-untyped-def]
    # One by one: what array functions return for a number may depend on its place in the array.
    out = np.empty((len(poses), 5))
    for i in range(len(poses)):
        out[i, 0], out[i, 1], out[i, 2] = poses[i, 0], poses[i, 1], poses[i, 2]
        out[i, 3], out[i, 4] = np.cos(poses[i, 2]), np.sin(poses[i, 2])
    return out
