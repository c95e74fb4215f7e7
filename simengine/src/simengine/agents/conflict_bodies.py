"""How wide bodies sweep along paths, and the pieces of paths that meet. Compiled, used by `conflicts.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

# A path that has turned this much may come by where it was before.
LAP = 1.5 * np.pi


@njit(cache=True, nogil=True, error_model="numpy")
def swept_half_width(paths, half_width, half_length):  # type: ignore[no-untyped-def]
    """Return how far to each side (N,) vehicles reach at each row of their paths: their ends swing out in bends.

    Args:
        paths: the paths, see `PathSet.flat`.
        half_width: (P,) of the vehicles [m].
        half_length: (P,) of the vehicles [m].
    """
    points, starts, counts, steps = paths
    swing, width = np.empty(len(points)), np.empty(len(points))
    for p in range(len(starts)):
        first, last = starts[p], starts[p] + counts[p] - 1
        reach = max(round(half_length[p] / steps[p]), 1)
        for k in range(first, last + 1):
            swing[k] = 0.0
            for end in (min(k + reach, last), max(k - reach, first)):
                x, y = points[end, 0] - points[k, 0], points[end, 1] - points[k, 1]
                swing[k] = max(swing[k], abs(y * points[k, 4] - x * points[k, 5]))
        for k in range(first, last + 1):
            widest = 0.0
            for m in range(max(k - reach, first), min(k + reach, last) + 1):
                widest = max(widest, swing[m])
            width[k] = half_width[p] + widest
    return width


@njit(cache=True, nogil=True, error_model="numpy")
def pieces(paths, order):  # type: ignore[no-untyped-def]
    """Return pieces of paths that do not come by the same place twice, path after path in `order` (P,).

    Rows (Q, 4): first row among all, number of rows, path, and first row counted from the start of the path.
    """
    points, starts, counts, _ = paths
    found, used = np.empty((len(points), 4), np.int64), 0
    for path in order:
        turned, lap = 0.0, -1
        for k in range(counts[path]):
            at = starts[path] + k
            if k > 0:
                turned += abs(points[at, 2] - points[at - 1, 2])
            if int(turned // LAP) != lap:
                lap = int(turned // LAP)
                found[used, 0], found[used, 1], found[used, 2], found[used, 3] = at, 0, path, k
                used += 1
            found[used - 1, 1] += 1
    return found[:used]
