"""Where to wait before conflict areas: at lines, and out of the way of everybody. Compiled, used by `conflicts.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

STOP_BEFORE = 0.3
# A vehicle that waits stands this far before its stopping place, bumper to place.
STANDING_GAP = 1.0
MAX_PULL_BACK = 30.0
LINE_REACH = 25.0


@njit(cache=True, nogil=True, error_model="numpy")
def stopping_places(row, enter, leave, crosses, length, line, line_start):  # type: ignore[no-untyped-def]
    """Return stopping places (K,) before areas, at lines and out of the way of everybody who crosses.

    Args:
        row: (K,) the paths that come to areas.
        enter: (K,) where each enters its area [m].
        leave: (K,) where it leaves it [m].
        crosses: (K,) bool, whether others cross there.
        length: (P,) of the vehicles [m].
        line: arc lengths of stop lines, path after path [m].
        line_start: (P + 1,) first line of each path.
    """
    count = len(row)
    pulled = enter - STOP_BEFORE
    # Areas that are crossed, path after path, the furthest first.
    first, order = np.zeros(len(length) + 1, np.int64), np.empty(count, np.int64)
    for k in range(count):
        if crosses[k]:
            first[row[k] + 1] += 1
    first = np.cumsum(first)
    used = first[:-1].copy()
    for k in np.argsort(-enter, kind="mergesort"):
        if crosses[k]:
            order[used[row[k]]] = k
            used[row[k]] += 1
    for k in range(count):
        path, stop = row[k], enter[k] - STOP_BEFORE
        for at in line[line_start[path] : line_start[path + 1]]:
            if stop - LINE_REACH < at < stop:
                pulled[k] = min(pulled[k], at)
        for area in order[first[path] : first[path + 1]]:
            rear = pulled[k] - STANDING_GAP - length[path]
            before = enter[area] - STOP_BEFORE
            if enter[area] < pulled[k] and leave[area] > rear and before > stop - MAX_PULL_BACK:
                pulled[k] = min(pulled[k], before)
    return pulled
