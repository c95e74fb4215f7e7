"""Where the paths of two vehicles get in each other's way.

A conflict area is a stretch of two paths on which the bodies of both vehicles would touch: the paths cross, or they
come from different places and merge. Paths that run together from the start of either are no conflict: there one
follows the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from simengine.agents.paths import PathSet

# Extra clearance where paths cross; side by side in the same direction bodies may pass closely.
CLEARANCE = 0.25
ALONG = np.pi / 4
MERGE_LENGTH = 5.0
# Rows of a path between two tests, about a metre.
STRIDE = 2
JOINED_DISTANCE = 0.6
JOINED_TURN = 0.2
STOP_BEFORE = 0.3
# A vehicle that waits stands this far before its stopping place, bumper to place.
STANDING_GAP = 1.0
MAX_PULL_BACK = 30.0
LINE_REACH = 25.0
COLUMNS = 9


@dataclass(frozen=True)
class Conflicts:
    """C conflict areas, each between a first and a second path.

    All arrays but `merges` and `shift` have shape (C, 2): first and second path.

    Attributes:
        row: index of the paths.
        enter: arc length at which a point reaches the area [m]; a vehicle does so with its front bumper.
        leave: arc length at which it leaves it, with its rear bumper; where paths merge, where they have joined.
        stop: arc length at which the front bumper should wait, so that it stands in nobody's way [m].
        merges: (C,) bool, whether the paths go on together.
        shift: (C,) arc length on the first path minus that on the second at the place where both are nearest [m].
    """

    row: np.ndarray
    enter: np.ndarray
    leave: np.ndarray
    stop: np.ndarray
    merges: np.ndarray
    shift: np.ndarray


def find_conflicts(
    paths: PathSet,
    half_width: np.ndarray,
    length: np.ndarray,
    lines: Sequence[np.ndarray] | None = None,
    order: np.ndarray | None = None,
) -> Conflicts:
    """Return all conflict areas of `paths`.

    Args:
        paths: one path for each vehicle.
        half_width: (P,) half width of each vehicle [m].
        length: (P,) length of each vehicle [m].
        lines: arc lengths (K,) [m] of stop lines on each path: who waits, waits there.
        order: (P,) the paths in the order in which a pair's first and second are told apart, by default as given.
    """
    order = np.arange(len(paths.count)) if order is None else np.asarray(order)
    coarse = paths.every(STRIDE)
    found = _find(*coarse.flat, half_width.astype(np.float64), order.astype(np.int64))
    enter, leave = found[:, 2:4], found[:, 4:6]
    conflicts = Conflicts(
        found[:, 0:2].astype(np.int64), enter, leave, enter - STOP_BEFORE, found[:, 6] > 0.5, found[:, 7]
    )
    return replace(conflicts, stop=_stopping_places(conflicts, length, lines))


def _stopping_places(
    conflicts: Conflicts, length: np.ndarray, lines: Sequence[np.ndarray] | None
) -> np.ndarray:
    """Return stopping places (C, 2) at lines and out of the way of everybody who crosses."""
    row, crosses = conflicts.row.ravel(), np.repeat(~conflicts.merges, 2)
    enter, leave, stop = (a.ravel() for a in (conflicts.enter, conflicts.leave, conflicts.stop))
    pulled = stop.copy()
    for k, path in enumerate(row if lines is not None else ()):
        before = lines[path][(lines[path] < stop[k]) & (lines[path] > stop[k] - LINE_REACH)]
        pulled[k] = before.min(initial=stop[k])
    for path in np.unique(row):
        own = np.flatnonzero(row == path)
        areas = own[crosses[own]]
        areas = areas[np.argsort(-enter[areas], kind="stable")]
        for k in own:
            for area in areas:
                rear = pulled[k] - STANDING_GAP - length[path]
                if (
                    enter[area] < pulled[k]
                    and leave[area] > rear
                    and enter[area] - STOP_BEFORE > stop[k] - MAX_PULL_BACK
                ):
                    pulled[k] = min(pulled[k], enter[area] - STOP_BEFORE)
    return pulled.reshape(-1, 2)


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(points, start, count, step, x, y, reach):  # type: ignore[no-untyped-def]
    """Return the first row of a path within `reach` of (x, y), gone on to the next minimum, and a distance.

    Without such a row, -1 and a lower bound of the distance to the path.
    """
    k, lower = 0, np.inf
    while k < count:
        d = np.hypot(points[start + k, 0] - x, points[start + k, 1] - y)
        if d < reach:
            while k + 1 < count:
                after = np.hypot(points[start + k + 1, 0] - x, points[start + k + 1, 1] - y)
                if after > d:
                    break
                d, k = after, k + 1
            return k, d
        # Half of what is certainly free is skipped, so that the other half bounds what was not looked at.
        lower = min(lower, 0.5 * (d + reach))
        k += max(int(0.5 * (d - reach) / step), 1)
    return -1, lower


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(points, start, count, k, x, y):  # type: ignore[no-untyped-def]
    """Return the nearest row of a path around row `k`, where it was one row before, and its distance."""
    d = np.hypot(points[start + k, 0] - x, points[start + k, 1] - y)
    for way in (1, -1):
        while 0 <= k + way < count:
            after = np.hypot(points[start + k + way, 0] - x, points[start + k + way, 1] - y)
            if after >= d:
                break
            d, k = after, k + way
    return k, d


@njit(cache=True, nogil=True, error_model="numpy")
def _rows_apart(points, start, low, high, x, y, yaw, side):  # type: ignore[no-untyped-def]
    """Return whether no row in [low, high] of a path lies in the way of a body at (x, y, yaw)."""
    for k in range(low, high + 1):
        a = start + k
        d = np.hypot(points[a, 0] - x, points[a, 1] - y)
        if d < side + CLEARANCE * abs(np.sin(points[a, 2] - yaw)):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(points, pa, pb, side, k0, k1, nearest, distance, out):  # type: ignore[no-untyped-def]
    """Write the conflict area on rows k0..k1 of path a into `out`; return whether it is one."""
    sa, na, da = pa
    sb, nb, db = pb
    best = k0
    for k in range(k0, k1 + 1):
        if distance[k] < distance[best]:
            best = k
    m0 = nearest[k0]
    first = abs(_turn(points[sa + k0, 2] - points[sb + m0, 2]))
    if (k0 == 0 or m0 == 0) and first < ALONG:
        return False
    together, join, joined = 0, best, False
    for k in range(k0, k1 + 1):
        turned = abs(_turn(points[sa + k, 2] - points[sb + nearest[k], 2]))
        together += turned < ALONG
        if not joined and distance[k] < JOINED_DISTANCE and turned < JOINED_TURN:
            join, joined = k, True
    merges = together * da >= MERGE_LENGTH
    if not merges:
        join = best
    at = nearest[join]
    low, high = max(k0 - 2, 0), min(k1 + 2, na - 1)
    enter = at
    while enter > 0 and not _rows_apart(
        points, sa, low, high, points[sb + enter, 0], points[sb + enter, 1], points[sb + enter, 2], side
    ):
        enter -= 1
    leave = at
    if not merges:
        while leave < nb - 1 and not _rows_apart(
            points, sa, low, high, points[sb + leave, 0], points[sb + leave, 1], points[sb + leave, 2], side
        ):
            leave += 1
    out[2], out[3] = k0 * da, enter * db
    out[4], out[5] = (join if merges else k1 + 1) * da, leave * db
    out[6], out[7] = 1.0 if merges else 0.0, join * da - at * db
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(angle):  # type: ignore[no-untyped-def]
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


@njit(cache=True, nogil=True, error_model="numpy")
def _find(points, starts, counts, steps, half_width, order):  # type: ignore[no-untyped-def]
    rows = np.zeros((64, COLUMNS - 1))
    used = 0
    longest = counts.max() if len(counts) else 0
    nearest, distance = np.full(longest, -1), np.full(longest, np.inf)
    for i in range(len(order)):
        for j in range(i + 1, len(order)):
            p, q = order[i], order[j]
            side = half_width[p] + half_width[q]
            pa, pb = (starts[p], counts[p], steps[p]), (starts[q], counts[q], steps[q])
            k, begin = 0, -1
            while k <= counts[p]:
                touches = False
                skip = 1
                if k < counts[p]:
                    a = starts[p] + k
                    if begin >= 0:
                        m, d = _follow(
                            points, starts[q], counts[q], nearest[k - 1], points[a, 0], points[a, 1]
                        )
                    else:
                        m, d = _nearest(
                            points,
                            starts[q],
                            counts[q],
                            steps[q],
                            points[a, 0],
                            points[a, 1],
                            side + CLEARANCE,
                        )
                    nearest[k], distance[k] = m, d
                    if m >= 0 and d < side + CLEARANCE:
                        turned = abs(np.sin(points[a, 2] - points[starts[q] + m, 2]))
                        touches = d < side + CLEARANCE * turned
                    elif begin < 0:
                        skip = max(int((d - side - CLEARANCE) / steps[p]), 1)
                if touches and begin < 0:
                    begin = k
                if not touches and begin >= 0:
                    if used == len(rows):
                        more = np.zeros((2 * used, COLUMNS - 1))
                        more[:used] = rows
                        rows = more
                    if _stretch(points, pa, pb, side, begin, k - 1, nearest, distance, rows[used]):
                        rows[used, 0], rows[used, 1] = p, q
                        used += 1
                    begin = -1
                k += skip
    return rows[:used]
