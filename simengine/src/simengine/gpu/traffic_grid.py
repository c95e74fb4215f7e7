"""A grid that lists, for every frame and cell, the tracks that an ego with its centre there could touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.metrics.pdm.contact import TrackBoxes

CELL = 1.0
MAX_CELLS = 4_000_000
"""Over all frames; larger areas get larger cells."""
_MARGIN = 1e-3


@dataclass(frozen=True)
class TrafficGrid:
    """Lists of boxes of A tracks over F frames; box `frame * A + track`.

    Attributes:
        corner: (2,) lower left corner [m].
        cell: edge of a cell [m].
        rows: number of rows.
        columns: number of columns.
        start: (F * rows * columns + 1,) where the boxes of each frame and cell start, frames first.
        box: (N,) boxes.
    """

    corner: np.ndarray
    cell: float
    rows: int
    columns: int
    start: np.ndarray
    box: np.ndarray


def traffic_grid(tracks: TrackBoxes, radius: float) -> TrafficGrid:
    """Return the grid of tracks for an ego whose corners are `radius` [m] from its centre."""
    if not tracks.present.any():
        return TrafficGrid(
            np.zeros(2), CELL, 1, 1, np.zeros(tracks.num_frames + 1, np.int64), np.zeros(0, np.int64)
        )
    reach = np.hypot(*tracks.half.T) + radius + _MARGIN
    center = tracks.pose[..., :2]
    low = np.where(tracks.present[..., None], center - reach[:, None], np.inf).min(axis=(0, 1))
    extent = np.where(tracks.present[..., None], center + reach[:, None], -np.inf).max(axis=(0, 1)) - low
    per_frame = MAX_CELLS / tracks.num_frames
    cell = max(CELL, float(np.sqrt(extent[0] * extent[1] / per_frame)), float(extent.max()) / per_frame)
    columns, rows = (int(n) + 1 for n in np.floor(extent / cell))
    shape, arrays = (rows, columns), (*tracks.arrays, tracks.present)
    start = np.zeros(tracks.num_frames * rows * columns + 1, np.int64)
    _list(*arrays, radius + _MARGIN, low, cell, shape, start[1:], np.zeros(0, np.int64))
    start = np.cumsum(start)
    box = np.empty(start[-1], np.int64)
    _list(*arrays, radius + _MARGIN, low, cell, shape, start[:-1].copy(), box)
    return TrafficGrid(low, cell, rows, columns, start, box)


@njit(cache=True, nogil=True, error_model="numpy")
def _list(pose, half, present, radius, low, cell, shape, place, box):  # type: ignore[no-untyped-def]
    """Advance `place` of every cell by its number of boxes, and write them there if `box` has room."""
    frames, tracks = present.shape
    rows, columns = shape
    near = radius + cell * np.sqrt(0.5)
    for f in range(frames):
        for a in range(tracks):
            if not present[f, a]:
                continue
            x, y, cos, sin = pose[f, a, 0], pose[f, a, 1], pose[f, a, 2], pose[f, a, 3]
            far = np.hypot(half[a, 0], half[a, 1]) + radius
            first, last = int((y - far - low[1]) // cell), int((y + far - low[1]) // cell)
            left, right = int((x - far - low[0]) // cell), int((x + far - low[0]) // cell)
            for r in range(max(first, 0), min(last, rows - 1) + 1):
                for c in range(max(left, 0), min(right, columns - 1) + 1):
                    dx, dy = low[0] + (c + 0.5) * cell - x, low[1] + (r + 0.5) * cell - y
                    ahead = max(abs(cos * dx + sin * dy) - half[a, 0], 0.0)
                    aside = max(abs(cos * dy - sin * dx) - half[a, 1], 0.0)
                    if ahead * ahead + aside * aside <= near * near:
                        at = (f * rows + r) * columns + c
                        if len(box) > 0:
                            box[place[at]] = f * tracks + a
                        place[at] += 1
