"""Which of many polygons contain a point: a grid whose cells know the answer, or the few edges to ask.

Polygon k is bit k % 63 of word k // 63, so that sets of polygons are a few integers and questions about them
are bit operations. A cell stores the polygons that cover it whole; where the outline of a polygon passes
through, the point is tested against the edges of that polygon that reach into its row of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numba import njit

BITS = 63
"""Polygons per word; the sign bit stays free."""
CELL = 0.5
MAX_CELLS = 500_000
_MARGIN = 1e-6


@dataclass(frozen=True)
class PolygonIndex:
    """A grid of rows x columns cells over K polygons.

    Attributes:
        corner: (2,) lower left corner [m].
        cell: edge of a cell [m].
        inside: (rows, columns, W) int64 words of the polygons that cover a cell whole.
        near_start: (rows * columns + 1,) where the outlines of each cell start in `near`.
        near: polygons whose outline passes through each cell.
        edge_start: (rows * K + 1,) where the edges of row r and polygon k start in `edges`, at r * K + k.
        edges: (E, 4) edges ax, ay, bx, by [m].
    """

    corner: np.ndarray
    cell: float
    inside: np.ndarray
    near_start: np.ndarray
    near: np.ndarray
    edge_start: np.ndarray
    edges: np.ndarray

    @property
    def num_words(self) -> int:
        """Number of words W of a set of polygons."""
        return self.inside.shape[2]

    @property
    def arrays(self) -> tuple:
        """Everything `lookup` needs, in its order."""
        return (
            self.corner, self.cell, self.inside, self.near_start, self.near, self.edge_start, self.edges
        )  # fmt: skip

    def words(self, selected: np.ndarray) -> np.ndarray:
        """Return polygons `selected` (N,) as a set (W,)."""
        words = np.zeros(self.num_words, np.int64)
        for k in selected:
            words[k // BITS] |= np.int64(1) << np.int64(k % BITS)
        return words

    def containing(self, points: np.ndarray) -> np.ndarray:
        """Return the polygons that strictly contain `points` (N, 2) as sets (N, W)."""
        found = np.zeros((len(points), self.num_words), np.int64)
        lookup(np.ascontiguousarray(points, dtype=np.float64), *self.arrays, found)
        return found


def build_index(polygons: np.ndarray) -> PolygonIndex:
    """Return the index of shapely polygons (K,); parts and holes of a polygon count as shapely's do."""
    rings = [_ring_edges(polygon) for polygon in polygons]
    start = np.concatenate([[0], np.cumsum([len(r) for r in rings])]).astype(np.int64)
    edges = np.concatenate(rings) if rings else np.zeros((0, 4))
    if len(edges) == 0:
        words = max(-(-len(rings) // BITS), 1)
        return PolygonIndex(
            np.zeros(2), CELL, np.zeros((1, 1, words), np.int64), np.zeros(2, np.int64), np.zeros(0, np.int64),
            np.zeros(len(rings) + 1, np.int64), np.zeros((0, 4)),
        )  # fmt: skip
    low = np.minimum(edges[:, :2].min(axis=0), edges[:, 2:].min(axis=0))
    extent = np.maximum(edges[:, :2].max(axis=0), edges[:, 2:].max(axis=0)) - low
    cell = max(CELL, float(np.sqrt(extent[0] * extent[1] / MAX_CELLS)), float(extent.max()) / MAX_CELLS)
    columns, rows = (int(n) + 1 for n in np.floor(extent / cell))
    return PolygonIndex(low, cell, *_build(edges, start, low, cell, rows, columns))


def _ring_edges(polygon: shapely.Geometry) -> np.ndarray:
    parts = shapely.get_parts(polygon)
    parts = parts[shapely.get_dimensions(parts) == 2]
    rings = shapely.get_rings(parts)
    if len(rings) == 0:
        return np.zeros((0, 4))
    points = [shapely.get_coordinates(ring) for ring in rings]
    return np.concatenate([np.hstack([p[:-1], p[1:]]) for p in points])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def strictly_inside(x, y, edges, first, last):  # type: ignore[no-untyped-def]
    """Whether a point is inside rings whose edges first..last reach its height; a point on an edge is not."""
    inside, on_edge = False, False
    for e in range(first, last):
        ax, ay, bx, by = edges[e, 0], edges[e, 1], edges[e, 2], edges[e, 3]
        side = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if (ay > y) != (by > y) and (side > 0.0) == (by > ay):
            inside = not inside
        if side == 0.0:
            on_edge = on_edge or (min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by))
    return inside and not on_edge


@njit(cache=True, nogil=True, error_model="numpy")
def lookup(points, corner, cell, inside, near_start, near, edge_start, edges, found):  # type: ignore[no-untyped-def]
    """Write the sets of polygons that strictly contain points (N, 2) into `found` (N, W).

    The arguments between are `PolygonIndex.arrays`. Many points at a time, because handing arrays to a compiled
    function costs more than looking up a point.
    """
    rows, columns, words = inside.shape
    polygons = (len(edge_start) - 1) // rows
    for i in range(len(points)):
        x, y = points[i, 0], points[i, 1]
        row, column = int(np.floor((y - corner[1]) / cell)), int(np.floor((x - corner[0]) / cell))
        if row < 0 or row >= rows or column < 0 or column >= columns:
            found[i] = 0
            continue
        for w in range(words):
            found[i, w] = inside[row, column, w]
        at = row * columns + column
        for n in range(near_start[at], near_start[at + 1]):
            k = near[n]
            slot = row * polygons + k
            if strictly_inside(x, y, edges, edge_start[slot], edge_start[slot + 1]):
                found[i, k // BITS] |= np.int64(1) << np.int64(k % BITS)


@njit(cache=True, nogil=True, error_model="numpy")
def _rows_of(edge, low, cell, rows):  # type: ignore[no-untyped-def]
    # The same floor as in `lookup`: an edge is listed in every row in which a point can be at its height.
    first = int(np.floor((min(edge[1], edge[3]) - low[1]) / cell))
    last = int(np.floor((max(edge[1], edge[3]) - low[1]) / cell))
    return max(first, 0), min(last, rows - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _columns_of(edge, row, low, cell, columns):  # type: ignore[no-untyped-def]
    """Columns that an edge may pass through in a row of cells, a little too many rather than too few."""
    ax, ay, bx, by = edge
    bottom, top = low[1] + row * cell - _MARGIN, low[1] + (row + 1) * cell + _MARGIN
    x0, x1 = ax, bx
    if ay != by:
        t0, t1 = (bottom - ay) / (by - ay), (top - ay) / (by - ay)
        x0 = ax + min(max(min(t0, t1), 0.0), 1.0) * (bx - ax)
        x1 = ax + min(max(t0, t1, 0.0), 1.0) * (bx - ax)
    first = int(np.floor((min(x0, x1) - _MARGIN - low[0]) / cell))
    last = int(np.floor((max(x0, x1) + _MARGIN - low[0]) / cell))
    return max(first, 0), min(last, columns - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _build(all_edges, start, low, cell, rows, columns):  # type: ignore[no-untyped-def]
    polygons = len(start) - 1
    edge_start = np.zeros(rows * polygons + 1, np.int64)
    capacity = 0
    for k in range(polygons):
        for e in range(start[k], start[k + 1]):
            r0, r1 = _rows_of(all_edges[e], low, cell, rows)
            for r in range(r0, r1 + 1):
                edge_start[r * polygons + k + 1] += 1
                c0, c1 = _columns_of(all_edges[e], r, low, cell, columns)
                capacity += c1 - c0 + 1
    for i in range(rows * polygons):
        edge_start[i + 1] += edge_start[i]

    edges = np.empty((edge_start[-1], 4))
    fill = edge_start[:-1].copy()
    inside = np.zeros((rows, columns, (polygons + BITS - 1) // BITS), np.int64)
    outline = np.full(rows * columns, -1, np.int64)
    touched, owner = np.empty(capacity, np.int64), np.empty(capacity, np.int64)
    near_start = np.zeros(rows * columns + 1, np.int64)
    count = 0
    for k in range(polygons):
        lowest, highest, left, right = rows, -1, columns, -1
        for e in range(start[k], start[k + 1]):
            r0, r1 = _rows_of(all_edges[e], low, cell, rows)
            lowest, highest = min(lowest, r0), max(highest, r1)
            for r in range(r0, r1 + 1):
                edges[fill[r * polygons + k]] = all_edges[e]
                fill[r * polygons + k] += 1
                c0, c1 = _columns_of(all_edges[e], r, low, cell, columns)
                left, right = min(left, c0), max(right, c1)
                for c in range(c0, c1 + 1):
                    at = r * columns + c
                    if outline[at] != k:
                        outline[at] = k
                        touched[count], owner[count] = at, k
                        near_start[at + 1] += 1
                        count += 1
        bit = np.int64(1) << np.int64(k % BITS)
        for r in range(lowest, highest + 1):
            y = low[1] + (r + 0.5) * cell
            slot = r * polygons + k
            known, covered = False, False
            for c in range(left, right + 1):
                if outline[r * columns + c] == k:
                    known = False
                    continue
                # Between two cells without outline nothing changes.
                if not known:
                    x = low[0] + (c + 0.5) * cell
                    known, covered = (
                        True,
                        strictly_inside(x, y, edges, edge_start[slot], edge_start[slot + 1]),
                    )
                if covered:
                    inside[r, c, k // BITS] |= bit

    for i in range(rows * columns):
        near_start[i + 1] += near_start[i]
    near = np.empty(count, np.int64)
    place = near_start[:-1].copy()
    for i in range(count):
        near[place[touched[i]]] = owner[i]
        place[touched[i]] += 1
    return inside, near_start, near, edge_start, edges
