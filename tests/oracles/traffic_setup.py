"""What reactive traffic reads off a map and a log, the slow way: one lane, pair, row and frame at a time."""

import numpy as np
from scipy.ndimage import maximum_filter1d

from simengine.agents import conflict_search
from simengine.agents.conflict_search import CLEARANCE, WIDTH
from simengine.geometry import boxes, polyline, se2
from simengine.geometry.angles import wrap


def swept_half_width(poses, step, half_width, half_length):
    reach = max(round(half_length / step), 1)
    index = np.arange(len(poses))
    swing = np.zeros(len(poses))
    for end in (np.minimum(index + reach, len(poses) - 1), np.maximum(index - reach, 0)):
        x, y = (poses[end, :2] - poses[:, :2]).T
        swing = np.maximum(swing, np.abs(y * np.cos(poses[:, 2]) - x * np.sin(poses[:, 2])))
    return half_width + maximum_filter1d(swing, 2 * reach + 1, mode="nearest")


def pieces(paths, order):
    found = []
    for path in order:
        first, count = int(paths.start[path]), int(paths.count[path])
        turned = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(paths.points[first : first + count, 2])))])
        lap = (turned // (1.5 * np.pi)).astype(np.int64)
        begins = np.flatnonzero(np.diff(lap, prepend=-1))
        for begin, end in zip(begins, [*begins[1:], count], strict=True):
            found.append((first + begin, end - begin, path, begin))
    return np.array(found, np.int64).reshape(-1, 4)


def find_areas(points, starts, counts, steps, owner, base):
    """Every row of every piece against every row of every later piece."""
    found, piece = [], [points[a : a + n] for a, n in zip(starts, counts, strict=True)]
    for p in range(len(starts)):
        for q in range(p + 1, len(starts)):
            if owner[p] != owner[q]:
                found += _areas_of_pair(points, piece, (starts, counts, steps, owner, base), p, q)
    return np.array(found).reshape(-1, conflict_search.COLUMNS)


def _areas_of_pair(points, piece, table, p, q):
    starts, counts, steps, owner, base = table
    a, b = piece[p], piece[q]
    apart = np.hypot(a[:, None, 0] - b[None, :, 0], a[:, None, 1] - b[None, :, 1])
    nearest, distance, found, begin = np.full(len(a), -1), np.full(len(a), np.inf), [], -1
    for k in range(len(a) + 1):
        touches = False
        if k < len(a):
            if begin >= 0:
                m = _downhill(apart[k], nearest[k - 1], (1, -1), strictly=True)
            else:
                within = np.flatnonzero(apart[k] < a[k, WIDTH] + b[:, WIDTH].max() + CLEARANCE)
                m = _downhill(apart[k], within[0], (1,), strictly=False) if len(within) else -1
            if m >= 0:
                nearest[k], distance[k] = m, apart[k, m]
                turn = a[k, 2] - b[m, 2]
                clearance = CLEARANCE * (
                    abs(np.sin(turn)) if np.cos(turn) > conflict_search.SAME_WAY else 1.0
                )
                touches = distance[k] < a[k, WIDTH] + b[m, WIDTH] + clearance
        if touches and begin < 0:
            begin = k
        if not touches and begin >= 0:
            out = np.zeros(conflict_search.COLUMNS)
            sides = ((starts[p], counts[p], steps[p]), (starts[q], counts[q], steps[q]))
            if conflict_search._stretch(points, *sides, begin, k - 1, nearest, distance, out):
                out[:2] = owner[p], owner[q]
                out[[2, 4]] += base[p] * steps[p]
                out[[3, 5]] += base[q] * steps[q]
                out[7] = out[7] + base[p] * steps[p] - base[q] * steps[q]
                found.append(out)
            begin = -1
    return found


def _downhill(distance, k, ways, strictly):
    for way in ways:
        while 0 <= k + way < len(distance):
            after = distance[k + way]
            if after > distance[k] or (strictly and after == distance[k]):
                break
            k += way
    return k


def stopping_places(row, enter, leave, crosses, length, lines):
    stop = enter - 0.3
    pulled = stop.copy()
    for k, path in enumerate(row):
        before = lines[path][(lines[path] < stop[k]) & (lines[path] > stop[k] - 25.0)]
        pulled[k] = before.min(initial=stop[k])
    for path in np.unique(row):
        own = np.flatnonzero(row == path)
        areas = own[crosses[own]]
        areas = areas[np.argsort(-enter[areas], kind="stable")]
        for k in own:
            for area in areas:
                rear = pulled[k] - 1.0 - length[path]
                if enter[area] < pulled[k] and leave[area] > rear and enter[area] - 0.3 > stop[k] - 30.0:
                    pulled[k] = min(pulled[k], enter[area] - 0.3)
    return pulled


def order_in_log(a, b, enter):
    times = [_time_in_log(path, s) for path, s in zip((a, b), enter, strict=True)]
    if np.isfinite(times).all():
        early, late = times
        return 0 if abs(early - late) > 8.0 else int(np.sign(late - early))
    for k, other in ((0, b), (1, a)):
        if np.isfinite(times[k]) and _is_before(other, enter[1 - k], times[k]):
            return 1 if k == 0 else -1
    return 0


def fit_side_by_side(a, b, enter, leave):
    spans = [
        (_time_in_log(path, begin), _time_in_log(path, end))
        for path, begin, end in zip((a, b), enter, leave, strict=True)
    ]
    if not np.isfinite(spans).all():
        return False
    return spans[0][0] < spans[1][1] and spans[1][0] < spans[0][1]


def _time_in_log(path, s):
    if path.log is None or not path.log[0, 0] < s <= path.log[-1, 0]:
        return float("nan")
    return float(np.interp(s, path.log[:, 0], path.log[:, 1]))


def _is_before(path, s, time):
    return path.log is not None and path.log[-1, 0] < s and path.log[0, 1] <= time <= path.log[-1, 1] + 8.0


def overlaps_in_log(scenario, every=0.5):
    log, vehicle = scenario.agents, scenario.vehicle
    ego = se2.shift_forward(scenario.ego.pose, vehicle.rear_axle_to_center)
    size = np.concatenate([log.size[:, :2], [[vehicle.length, vehicle.width]]])
    pairs = np.zeros((log.num_agents, log.num_agents + 1), bool)
    for frame in range(0, log.num_frames, max(round(every / scenario.dt), 1)):
        there = [*np.flatnonzero(log.valid[:, frame]), log.num_agents]
        pose = np.concatenate([log.pose[:, frame], ego[frame : frame + 1]])
        box = {k: boxes.corners(pose[k], size[k, 0], size[k, 1]) for k in there}
        for a in there[:-1]:
            for b in there:
                pairs[a, b] |= a != b and bool(boxes.overlap(box[a], box[b]))
    return pairs


def make_path(poses, desired_speed, floor):
    """Poses, speed limits and step."""
    s = polyline.arc_length(poses)
    count = max(int(np.ceil(s[-1] / 0.5)), 1) + 1
    at = np.linspace(0.0, s[-1], count)
    yaw = np.interp(at, s, np.unwrap(poses[:, 2]))
    step = float(at[1])
    half = max(round(2.0 / step), 1)
    index = np.arange(count)
    after, before = np.minimum(index + half, count - 1), np.maximum(index - half, 0)
    curvature = np.abs(yaw[after] - yaw[before]) / np.maximum((after - before) * step, 1e-6)
    bent = np.sqrt(2.0 / np.maximum(curvature, 1e-4))
    wanted, known = np.interp(at, s, desired_speed), np.interp(at, s, floor)
    limit = np.maximum(np.minimum(wanted, bent), np.maximum(known, 2.0))
    position = 2.0 * 1.5 * step * index
    squared = np.minimum.accumulate((limit**2 + position)[::-1])[::-1] - position
    even = np.column_stack([np.interp(at, s, poses[:, 0]), np.interp(at, s, poses[:, 1]), yaw])
    return even, np.sqrt(squared), step


def track_speed(pose, frames, dt):
    if len(frames) < 2:
        return np.zeros(len(frames))
    window = min(5, len(frames) - 1)
    ends = np.arange(window, len(frames))
    moved = np.linalg.norm(pose[ends, :2] - pose[ends - window, :2], axis=1)
    mean = moved / ((frames[ends] - frames[ends - window]) * dt)
    return np.interp(np.arange(len(frames)), ends - 0.5 * window, mean)


def ahead_on_lanes(pose, lanes, distance):
    """Poses and speed limits every metre along lanes in a row, the offset to them fading over 15 m."""
    ahead = np.arange(1.0, max(distance, 2.0), 1.0)
    line = polyline.drop_repeated(np.concatenate([lane.centerline[:, :2] for lane in lanes]), 0.05)
    s0, offset = polyline.project(line, pose[:2])
    from_here = np.concatenate([[0.0], ahead])
    on_lane = polyline.sample(line, s0 + from_here)
    fade = offset * np.clip(1.0 - from_here / 15.0, 0.0, 1.0) ** 2
    left = np.column_stack([-np.sin(on_lane[:, 2]), np.cos(on_lane[:, 2])])
    xy = on_lane[:, :2] + fade[:, None] * left
    ends = np.cumsum([polyline.arc_length(lane.centerline)[-1] for lane in lanes])
    lane_at = np.minimum(np.searchsorted(ends, s0 + ahead), len(lanes) - 1)
    limits = np.array([lane.speed_limit for lane in lanes])[lane_at]
    return np.column_stack([xy[1:], polyline.headings(xy)[1:]]), limits


def drives_left(lanes):
    balance = 0.0
    streets = [lane for lane in lanes if not lane.is_connector]
    for lane in streets:
        for other in streets:
            at, there = (one.centerline[len(one.centerline) // 2, :2] for one in (lane, other))
            yaw, yaw_there = (
                polyline.headings(one.centerline)[len(one.centerline) // 2] for one in (lane, other)
            )
            x, y = there - at
            left, ahead = y * np.cos(yaw) - x * np.sin(yaw), x * np.cos(yaw) + y * np.sin(yaw)
            if np.cos(yaw_there - yaw) < -0.9 and 1.0 < abs(left) < 8.0 and abs(ahead) < 20.0:
                balance += np.sign(left)
    return balance < 0.0


def bend(lane):
    heading = polyline.headings(lane.centerline)
    return float(wrap(heading[-1] - heading[0]))
