"""From a place beside a lane onto it and along it. Compiled, used by `lanes.py`."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.agents.lane_lines import arc_lengths, drop_repeated, steps_ahead


def directions(line: np.ndarray) -> np.ndarray:
    """Return the direction (N,) [rad] of each vertex of a line (N, 2), see `polyline.headings`."""
    step = steps_ahead(line, np.array([0, len(line)]))
    return np.arctan2(step[:, 1], step[:, 0])


@njit(cache=True, nogil=True, error_model="numpy")
def join(points, start, rows, minimum_step):  # type: ignore[no-untyped-def]
    """Return lines `rows` (K,) of `lane_lines.LaneLines` as one (M, 2), without vertices closer than `minimum_step`."""
    count = 0
    for row in rows:
        count += start[row + 1] - start[row]
    line, used = np.empty((count, 2)), 0
    for row in rows:
        size = start[row + 1] - start[row]
        line[used : used + size] = points[start[row] : start[row + 1]]
        used += size
    return drop_repeated(line, minimum_step)


@njit(cache=True, nogil=True, error_model="numpy")
def project_one(line, s, x, y):  # type: ignore[no-untyped-def]
    """Return arc length and offset to the left [m] of the place on a line nearest to (x, y), see `polyline.project`."""
    best, along, offset = np.inf, 0.0, 0.0
    for k in range(len(line) - 1):
        dx, dy = line[k + 1, 0] - line[k, 0], line[k + 1, 1] - line[k, 1]
        rx, ry = x - line[k, 0], y - line[k, 1]
        squared = max(dx * dx + dy * dy, 1e-18)
        t = min(max((rx * dx + ry * dy) / squared, 0.0), 1.0)
        distance = np.hypot(rx - t * dx, ry - t * dy)
        if distance < best:
            best, along = distance, s[k] + t * np.sqrt(squared)
            offset = distance if dx * ry - dy * rx >= 0.0 else -distance
    return along, offset


@njit(cache=True, nogil=True, error_model="numpy")
def project(line, places):  # type: ignore[no-untyped-def]
    """Return arc lengths and offsets, each (M,) [m], of `places` (M, 2) along a line (N, 2), see `polyline.project`."""
    s = arc_lengths(line, np.array([0, len(line)]))
    along, offset = np.empty(len(places)), np.empty(len(places))
    for k in range(len(places)):
        along[k], offset[k] = project_one(line, s, places[k, 0], places[k, 1])
    return along, offset


@njit(cache=True, nogil=True, error_model="numpy")
def settle(line, cos, sin, facing_cos, facing_sin, x, y, ahead, within):  # type: ignore[no-untyped-def]
    """Return where (x, y) is along a line (N, 2) [m], and the places (M + 1, 2) there and `ahead` (M,) [m] of it.

    The offset to the line fades within a distance. `cos` and `sin` (N,) are those of the directions of the vertices,
    `facing_cos` and `facing_sin` those of the same directions wrapped, which may differ in the last bit.
    """
    s = arc_lengths(line, np.array([0, len(line)]))
    s0, offset = project_one(line, s, x, y)
    places, k = np.empty((len(ahead) + 1, 2)), 0
    for i in range(len(ahead) + 1):
        travelled = ahead[i - 1] if i > 0 else 0.0
        at = s0 + travelled
        while k < len(line) - 2 and s[k + 1] <= at:
            k += 1
        left = min(max(1.0 - travelled / within, 0.0), 1.0)
        left = offset * (left * left)
        places[i, 0] = line[k, 0] + (at - s[k]) * cos[k] + left * -facing_sin[k]
        places[i, 1] = line[k, 1] + (at - s[k]) * sin[k] + left * facing_cos[k]
    return s0, places
