"""The search for places where the bodies of vehicles on two paths would touch. Compiled, used by `conflicts.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

# Extra clearance where paths cross or oppose each other, above the margin of `crowd.MOVER_MARGIN`; side by side in
# the same direction bodies may pass closely.
CLEARANCE = 0.35
ALONG = np.pi / 4
SAME_WAY = np.cos(ALONG)
MERGE_LENGTH = 5.0
JOINED_DISTANCE = 0.6
JOINED_TURN = 0.2
COLUMNS = 8
# Rows of a path in one box; boxes that are too far apart are not searched.
CHUNK = 12
# Column of the table of points that holds the half width here; elsewhere it is the speed limit.
WIDTH = 3


@njit(cache=True, nogil=True, error_model="numpy")
def _boxes(points, starts, counts):  # type: ignore[no-untyped-def]
    """Return boxes (B, 4) of low x and y, high x and y around every `CHUNK` rows, and the first of each piece."""
    first = np.zeros(len(starts) + 1, np.int64)
    for p in range(len(starts)):
        first[p + 1] = first[p] + (counts[p] + CHUNK - 1) // CHUNK
    box = np.empty((first[-1], 4))
    box[:, :2], box[:, 2:] = np.inf, -np.inf
    for p in range(len(starts)):
        for k in range(counts[p]):
            b = first[p] + k // CHUNK
            for axis in range(2):
                value = points[starts[p] + k, axis]
                box[b, axis], box[b, 2 + axis] = min(box[b, axis], value), max(box[b, 2 + axis], value)
    return box, first


@njit(cache=True, nogil=True, error_model="numpy")
def _close(a, b, reach):  # type: ignore[no-untyped-def]
    """Return whether two boxes come within `reach` of each other along both axes."""
    return a[0] - reach <= b[2] and b[0] - reach <= a[2] and a[1] - reach <= b[3] and b[1] - reach <= a[3]


@njit(cache=True, nogil=True, error_model="numpy")
def _nearest(points, start, count, chunks, x, y, reach):  # type: ignore[no-untyped-def]
    """Return the first row of a path within `reach` of (x, y), gone on to the next minimum, and its distance.

    Only rows in `chunks` (ascending) are looked at; without such a row, -1 and infinity.
    """
    for chunk in chunks:
        for first in range(chunk * CHUNK, min((chunk + 1) * CHUNK, count)):
            dx, dy = points[start + first, 0] - x, points[start + first, 1] - y
            if max(abs(dx), abs(dy)) >= reach:
                continue
            k, d = first, np.hypot(dx, dy)
            if d < reach:
                while k + 1 < count:
                    after = np.hypot(points[start + k + 1, 0] - x, points[start + k + 1, 1] - y)
                    if after > d:
                        break
                    d, k = after, k + 1
                return k, d
    return -1, np.inf


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
def _clearance(turn):  # type: ignore[no-untyped-def]
    return CLEARANCE * abs(np.sin(turn)) if np.cos(turn) > SAME_WAY else CLEARANCE


@njit(cache=True, nogil=True, error_model="numpy")
def _rows_apart(points, start, low, high, b):  # type: ignore[no-untyped-def]
    """Return whether no row in [low, high] of a path lies in the way of a body at row `b` of the table."""
    for k in range(low, high + 1):
        a = start + k
        d = np.hypot(points[a, 0] - points[b, 0], points[a, 1] - points[b, 1])
        side = points[a, WIDTH] + points[b, WIDTH]
        if d < side + _clearance(points[a, 2] - points[b, 2]):
            return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _stretch(points, pa, pb, k0, k1, nearest, distance, out):  # type: ignore[no-untyped-def]
    """Write the conflict area on rows k0..k1 of path a into `out`; return whether it is one."""
    sa, na, da = pa
    sb, nb, db = pb
    best = k0
    for k in range(k0, k1 + 1):
        if distance[k] < distance[best]:
            best = k
    m0 = nearest[k0]
    first = abs(_turn(points[sa + k0, 2] - points[sb + m0, 2]))
    # What begins side by side is following, not meeting.
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
    enter = leave = at
    while enter > 0 and not _rows_apart(points, sa, low, high, sb + enter):
        enter -= 1
    while not merges and leave < nb - 1 and not _rows_apart(points, sa, low, high, sb + leave):
        leave += 1
    out[2], out[3] = k0 * da, enter * db
    out[4], out[5] = (join if merges else k1 + 1) * da, leave * db
    out[6], out[7] = 1.0 if merges else 0.0, join * da - at * db
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _turn(angle):  # type: ignore[no-untyped-def]
    return (angle + np.pi) % (2.0 * np.pi) - np.pi


@njit(cache=True, nogil=True, error_model="numpy")
def _extents(points, starts, counts, box, first):  # type: ignore[no-untyped-def]
    """Return the box (P, 4) around each whole piece, and its largest half width (P,)."""
    whole, widest = np.empty((len(counts), 4)), np.empty(len(counts))
    for p in range(len(counts)):
        widest[p] = points[starts[p] : starts[p] + counts[p], WIDTH].max()
        for axis in range(2):
            whole[p, axis] = box[first[p] : first[p + 1], axis].min()
            whole[p, 2 + axis] = box[first[p] : first[p + 1], 2 + axis].max()
    return whole, widest


@njit(cache=True, nogil=True, error_model="numpy")
def _close_chunks(box, low, high, mine, reach, close):  # type: ignore[no-untyped-def]
    """Write which boxes from `low` to `high` come within `reach` of `mine` into `close`; return how many."""
    used = 0
    for b in range(low, high):
        if _close(mine, box[b], reach):
            close[used] = b - low
            used += 1
    return used


@njit(cache=True, nogil=True, error_model="numpy")
def _doubled(rows):  # type: ignore[no-untyped-def]
    """Return a table with room for as many rows again."""
    more = np.zeros((2 * len(rows), COLUMNS))
    more[: len(rows)] = rows
    return more


@njit(cache=True, nogil=True, error_model="numpy")
def _place(out, path_a, path_b, sa, sb):  # type: ignore[no-untyped-def]
    """Complete the row of a conflict area: its paths, and arc lengths that begin where the paths do."""
    out[0], out[1] = path_a, path_b
    out[2], out[4], out[7] = out[2] + sa, out[4] + sa, out[7] + sa - sb
    out[3], out[5] = out[3] + sb, out[5] + sb


@njit(cache=True, nogil=True, error_model="numpy")
def find_areas(points, starts, counts, steps, owner, base):  # type: ignore[no-untyped-def]
    """Return rows (C, 8) of conflict areas.

    Columns: first and second path, where each enters, where each leaves, whether they merge, and the shift of arc
    lengths, see `conflicts.Conflicts`.

    Args:
        points: (N, 6) table of all paths with half widths in column `WIDTH`.
        starts: (P,) first row of each piece of a path.
        counts: (P,) its rows.
        steps: (P,) their spacing [m].
        owner: (P,) which path the piece is of.
        base: (P,) its first row, counted from the start of the path.
    """
    rows, used = np.zeros((64, COLUMNS)), 0
    longest = counts.max() if len(counts) else 0
    nearest, distance = np.full(longest, -1), np.full(longest, np.inf)
    box, first = _boxes(points, starts, counts)
    whole, widest = _extents(points, starts, counts, box, first)
    close = np.empty(longest // CHUNK + 1, np.int64)
    for p in range(len(starts)):
        for q in range(p + 1, len(starts)):
            most = widest[p] + widest[q] + CLEARANCE
            if owner[p] == owner[q] or not _close(whole[p], whole[q], most):
                continue
            pa, pb = (starts[p], counts[p], steps[p]), (starts[q], counts[q], steps[q])
            k, begin, chunks = 0, -1, 0
            while k <= counts[p]:
                if k % CHUNK == 0 and k < counts[p]:
                    mine, chunks = box[first[p] + k // CHUNK], 0
                    if _close(mine, whole[q], most):
                        chunks = _close_chunks(box, first[q], first[q + 1], mine, most, close)
                    if chunks == 0 and begin < 0:
                        k += CHUNK
                        continue
                touches = False
                if k < counts[p]:  # in line: a call for every row takes half as long again
                    a = starts[p] + k
                    x, y = points[a, 0], points[a, 1]
                    if begin >= 0:
                        m, d = _follow(points, starts[q], counts[q], nearest[k - 1], x, y)
                    else:
                        reach = points[a, WIDTH] + widest[q] + CLEARANCE
                        m, d = _nearest(points, starts[q], counts[q], close[:chunks], x, y, reach)
                    nearest[k], distance[k] = m, d
                    if m >= 0:
                        b = starts[q] + m
                        side = points[a, WIDTH] + points[b, WIDTH]
                        touches = d < side + _clearance(points[a, 2] - points[b, 2])
                if touches and begin < 0:
                    begin = k
                if not touches and begin >= 0:
                    if used == len(rows):
                        rows = _doubled(rows)
                    if _stretch(points, pa, pb, begin, k - 1, nearest, distance, rows[used]):
                        _place(rows[used], owner[p], owner[q], base[p] * steps[p], base[q] * steps[q])
                        used += 1
                    begin = -1
                k += 1
    return rows[:used]
