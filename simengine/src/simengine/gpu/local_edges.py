"""The few edges that decide whether a point of one cell is inside a polygon whose outline passes through it.

The polygon index keeps all edges of a polygon that reach into a row of cells; the loops on a processor walk
along them. Here every cell gets a list of its own. Edges left of the cell are never crossed on the way to the
right and drop out. Of edges right of it only heights matter: a chain of them is crossed as often, up to pairs,
as the one edge from its first to its last vertex. So the even-odd rule counts the same crossings, exactly.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.metrics.pdm.polygon_index import PolygonIndex

_MARGIN = 1e-6


def local_edges(index: PolygonIndex) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every entry of `index.near`, the edges to test points of that cell against.

    Returns:
        Starts (len(near) + 1,) into edges (E, 4) ax, ay, bx, by; same test as `polygon_index.strictly_inside`.
    """
    return _collect(*index.arrays)


@njit(cache=True, nogil=True, error_model="numpy")
def _height(y, row, low, cell):  # type: ignore[no-untyped-def]
    """A height clamped to just beyond a row of cells, by the floor that puts points into rows."""
    at = np.floor((y - low) / cell)
    if at > row:
        return low + (row + 2) * cell
    return low + (row - 1) * cell if at < row else y


@njit(cache=True, nogil=True, error_model="numpy")
def _shorten(edges, first, last, row, column, corner, cell, heights, out):  # type: ignore[no-untyped-def]
    """Write the edges for one cell into `out` and return how many there are."""
    left, right = corner[0] + column * cell - _MARGIN, corner[0] + (column + 1) * cell + _MARGIN
    count, ends = 0, 0
    for e in range(first, last):
        ax, bx = edges[e, 0], edges[e, 2]
        if max(ax, bx) < left:
            continue
        if min(ax, bx) <= right:
            out[count] = edges[e]
            count += 1
            continue
        for i in (1, 3):
            y = _height(edges[e, i], row, corner[1], cell)
            # Where one edge ends and the next begins, both crossings change together.
            if ends > 0 and heights[ends - 1] == y:
                ends -= 1
            else:
                heights[ends] = y
                ends += 1
    for i in range(0, ends, 2):
        out[count, 0], out[count, 1] = right + cell, heights[i]
        out[count, 2], out[count, 3] = right + cell, heights[i + 1]
        count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _collect(corner, cell, inside, near_start, near, edge_start, edges):  # type: ignore[no-untyped-def]
    rows, columns, _ = inside.shape
    polygons = (len(edge_start) - 1) // rows
    most = 0
    for i in range(len(edge_start) - 1):
        most = max(most, edge_start[i + 1] - edge_start[i])
    heights, few = np.empty(2 * most), np.empty((2 * most, 4))
    start, found = np.zeros(len(near) + 1, np.int64), np.empty((4 * len(near) + 2 * most, 4))
    n = 0
    for at in range(rows * columns):
        row, column = at // columns, at % columns
        for i in range(near_start[at], near_start[at + 1]):
            slot = row * polygons + near[i]
            count = _shorten(
                edges, edge_start[slot], edge_start[slot + 1], row, column, corner, cell, heights, few
            )
            if n + count > len(found):
                more = np.empty((2 * len(found), 4))
                more[:n] = found[:n]
                found = more
            found[n : n + count] = few[:count]
            n += count
            start[i + 1] = n
    return start, found[:n].copy()
