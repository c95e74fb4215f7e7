"""How far a box is from a polygon, compiled."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def ring_distance(box: np.ndarray, ring: np.ndarray, dx: float, dy: float) -> float:
    """Return the distance [m] between a box (4, 2) and a ring (N, 2) moved by (dx, dy), 0 where they overlap."""
    if _inside(ring, box[0, 0] - dx, box[0, 1] - dy) or _inside(box, ring[0, 0] + dx, ring[0, 1] + dy):
        return 0.0
    nearest = math.inf
    for j in range(len(ring)):
        after = (j + 1) % len(ring)
        cx, cy, ex, ey = ring[j, 0] + dx, ring[j, 1] + dy, ring[after, 0] + dx, ring[after, 1] + dy
        for k in range(4):
            n = (k + 1) % 4
            gap = _segment_distance(box[k, 0], box[k, 1], box[n, 0], box[n, 1], cx, cy, ex, ey)
            nearest = min(nearest, gap)
    return nearest


@njit(cache=True, nogil=True, error_model="numpy")
def _segment_distance(ax, ay, bx, by, cx, cy, ex, ey):  # type: ignore[no-untyped-def]
    one = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    two = (bx - ax) * (ey - ay) - (by - ay) * (ex - ax)
    three = (ex - cx) * (ay - cy) - (ey - cy) * (ax - cx)
    four = (ex - cx) * (by - cy) - (ey - cy) * (bx - cx)
    if one * two < 0.0 and three * four < 0.0:
        return 0.0
    near_other = min(_point_distance(ax, ay, cx, cy, ex, ey), _point_distance(bx, by, cx, cy, ex, ey))
    near_one = min(_point_distance(cx, cy, ax, ay, bx, by), _point_distance(ex, ey, ax, ay, bx, by))
    return min(near_other, near_one)


@njit(cache=True, nogil=True, error_model="numpy")
def _point_distance(px, py, ax, ay, bx, by):  # type: ignore[no-untyped-def]
    ux, uy = bx - ax, by - ay
    squared = ux * ux + uy * uy
    t = ((px - ax) * ux + (py - ay) * uy) / squared if squared > 0.0 else 0.0
    t = min(max(t, 0.0), 1.0)
    return math.hypot(px - ax - t * ux, py - ay - t * uy)


@njit(cache=True, nogil=True, error_model="numpy")
def _inside(ring, x, y):  # type: ignore[no-untyped-def]
    odd = False
    for j in range(len(ring)):
        k = j - 1
        if (ring[j, 1] > y) != (ring[k, 1] > y):
            at = ring[j, 0] + (y - ring[j, 1]) / (ring[k, 1] - ring[j, 1]) * (ring[k, 0] - ring[j, 0])
            if x < at:
                odd = not odd
    return odd
