"""Many polylines in flat arrays: compiled twins of `geometry.polyline`, equal to it to the last bit.

A map has thousands of lanes and a scenario hundreds of paths; calling numpy for each of them costs more than the sums.
Angles, sines and cosines are still numpy's, over all lines at once: the C library's differ in the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.geometry.angles import wrap

SAME_PLACE = 1e-6
STANDING = 1e-9


@dataclass(frozen=True)
class LaneLines:
    """L polylines.

    Attributes:
        points: (N, 2) vertices, line after line [m].
        start: (L + 1,) first vertex of each line; the last entry is N.
        s: (N,) arc length from the start of the own line [m].
        heading: (N,) direction of each vertex, see `polyline.headings` [rad].
    """

    points: np.ndarray
    start: np.ndarray
    s: np.ndarray
    heading: np.ndarray

    @classmethod
    def pack(cls, lines: Sequence[np.ndarray]) -> LaneLines:
        """Return the flat form of `lines`, each (K, 2 or more columns) with K >= 2."""
        points = np.concatenate([line[:, :2] for line in lines]) if len(lines) else np.zeros((0, 2))
        start = np.zeros(len(lines) + 1, np.int64)
        np.cumsum([len(line) for line in lines], out=start[1:])
        return cls.of(np.ascontiguousarray(points, np.float64), start)

    @classmethod
    def of(cls, points: np.ndarray, start: np.ndarray) -> LaneLines:
        """Return lines with vertices `points` (N, 2) that begin at `start` (L + 1,)."""
        step = steps_ahead(points, start)
        return cls(points, start, arc_lengths(points, start), np.arctan2(step[:, 1], step[:, 0]))

    @property
    def length(self) -> np.ndarray:
        """Return how long each line is (L,) [m]."""
        return self.s[self.start[1:] - 1]

    @property
    def bend(self) -> np.ndarray:
        """Return by how much each line turns from start to end (L,), left positive, in [-pi, pi) [rad]."""
        return wrap(self.heading[self.start[1:] - 1] - self.heading[self.start[:-1]])

    @property
    def middle(self) -> np.ndarray:
        """Return the vertex (L,) in the middle of each line."""
        return self.start[:-1] + np.diff(self.start) // 2

    def resampled(self, spacing: float) -> LaneLines:
        """Return the lines with vertices about `spacing` [m] apart, see `polyline.resample`."""
        return LaneLines.of(*_resample(self.points, self.start, spacing))


@njit(cache=True, nogil=True, error_model="numpy")
def arc_lengths(points, start):  # type: ignore[no-untyped-def]
    """Return the arc length (N,) [m] of each vertex along its line."""
    s = np.zeros(len(points))
    for line in range(len(start) - 1):
        for k in range(start[line] + 1, start[line + 1]):
            dx, dy = points[k, 0] - points[k - 1, 0], points[k, 1] - points[k - 1, 1]
            s[k] = s[k - 1] + np.sqrt(dx * dx + dy * dy)
    return s


@njit(cache=True, nogil=True, error_model="numpy")
def steps_ahead(points, start):  # type: ignore[no-untyped-def]
    """Return the step (N, 2) whose direction each vertex has: to the next one; where that stands, the one before."""
    step = np.empty((len(points), 2))
    for line in range(len(start) - 1):
        first, last = start[line], start[line + 1] - 1
        x, y = 1.0, 0.0
        for k in range(first, last):
            dx, dy = points[k + 1, 0] - points[k, 0], points[k + 1, 1] - points[k, 1]
            if np.hypot(dx, dy) > STANDING:
                x, y = dx, dy
                break
        for k in range(first, last):
            dx, dy = points[k + 1, 0] - points[k, 0], points[k + 1, 1] - points[k, 1]
            if np.hypot(dx, dy) > STANDING:
                x, y = dx, dy
            step[k, 0], step[k, 1] = x, y
        step[last, 0], step[last, 1] = x, y
    return step


@njit(cache=True, nogil=True, error_model="numpy")
def drop_repeated(points, minimum_step):  # type: ignore[no-untyped-def]
    """Return `points` (N, 2) without those closer than `minimum_step` [m] to the one before."""
    kept, count = np.empty_like(points), 0
    for k in range(len(points)):
        if k > 0:
            dx, dy = points[k, 0] - points[k - 1, 0], points[k, 1] - points[k - 1, 1]
            if not np.sqrt(dx * dx + dy * dy) > minimum_step:
                continue
        kept[count] = points[k]
        count += 1
    return kept[:count]


@njit(cache=True, nogil=True, error_model="numpy")
def interpolate(x, known_x, known_y, out):  # type: ignore[no-untyped-def]
    """Write values at ascending `x` (M,) between knots (K,) into `out` (M,), as `np.interp` does."""
    last, j = len(known_x) - 1, 0
    for i in range(len(x)):
        while j < last and known_x[j + 1] <= x[i]:
            j += 1
        if x[i] <= known_x[0]:
            # Of knots at one place the last counts, as everywhere.
            out[i] = known_y[j] if x[i] == known_x[0] else known_y[0]
        elif j == last:
            out[i] = known_y[last]
        else:
            slope = (known_y[j + 1] - known_y[j]) / (known_x[j + 1] - known_x[j])
            out[i] = slope * (x[i] - known_x[j]) + known_y[j]


@njit(cache=True, nogil=True, error_model="numpy")
def even_steps(length, spacing):  # type: ignore[no-untyped-def]
    """Return arc lengths (M,) from 0 to `length` at equal steps of at most `spacing` [m]."""
    count = max(int(np.ceil(length / spacing)), 1) + 1
    at, step = np.empty(count), length / (count - 1)
    for k in range(count):
        at[k] = k * step
    at[-1] = length
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def _resample(points, start, spacing):  # type: ignore[no-untyped-def]
    """Return vertices (M, 2) and first vertices (L + 1,) of lines with vertices about `spacing` [m] apart."""
    begins = np.zeros(len(start), np.int64)
    found, used = np.empty((2 * len(points) + 64, 2)), 0
    for line in range(len(start) - 1):
        kept = drop_repeated(points[start[line] : start[line + 1]], SAME_PLACE)
        s = arc_lengths(kept, np.array([0, len(kept)]))
        at = even_steps(s[-1], spacing)
        while used + len(at) > len(found):
            more = np.empty((2 * len(found), 2))
            more[:used] = found[:used]
            found = more
        for axis in range(2):
            interpolate(at, s, kept[:, axis], found[used : used + len(at), axis])
        used += len(at)
        begins[line + 1] = used
    return found[:used], begins
