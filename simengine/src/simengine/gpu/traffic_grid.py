"""A grid that lists, for every frame and cell, the tracks that an ego with its centre there could touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.metrics.pdm.contact import TrackBoxes

CELL = 3.0
"""Smaller cells list fewer boxes in vain, but there are more of them to fill and to upload for every scene."""
MAX_CELLS = 1_000_000
"""Over all frames; larger areas get larger cells."""
_MARGIN = 1e-3


@dataclass(frozen=True)
class TrafficGrid:
    """Lists of boxes of A tracks over F frames; box `frame * A + track`.

    There is one more cell all around, and one more frame behind the last; nobody is there.

    Attributes:
        corner: (2,) lower left corner [m], the rim left out.
        cell: edge of a cell [m].
        rows: number of rows without the rim.
        columns: number of columns without the rim.
        start: ((F + 1) * (rows + 2) * (columns + 2) + 1,) where the boxes of each frame and cell start, frames first.
        box: (N,) boxes.
    """

    corner: np.ndarray
    cell: float
    rows: int
    columns: int
    start: np.ndarray
    box: np.ndarray

    @property
    def cells_per_frame(self) -> int:
        """Number of cells of a frame, rim included."""
        return (self.rows + 2) * (self.columns + 2)


def traffic_grid(tracks: TrackBoxes, radius: float) -> TrafficGrid:
    """Return the grid of tracks for an ego whose corners are `radius` [m] from its centre."""
    low, cell, rows, columns = np.zeros(2), CELL, 1, 1
    if tracks.present.any():
        reach = (np.hypot(*tracks.half.T) + radius + _MARGIN)[:, None]
        center, present = tracks.pose[..., :2], tracks.present[..., None]
        low = np.where(present, center - reach, np.inf).min(axis=(0, 1))
        extent = np.where(present, center + reach, -np.inf).max(axis=(0, 1)) - low
        per_frame = MAX_CELLS / tracks.num_frames
        cell = max(CELL, float(np.sqrt(extent[0] * extent[1] / per_frame)), float(extent.max()) / per_frame)
        columns, rows = (int(n) + 1 for n in np.floor(extent / cell))
    start, box = _list(*tracks.arrays, tracks.present, radius + _MARGIN, low, cell, rows, columns)
    return TrafficGrid(low, cell, rows, columns, start, box)


@njit(cache=True, nogil=True, error_model="numpy")
def _window(center, far, low, cell, cells):  # type: ignore[no-untyped-def]
    """The first and last of a row of cells that reach within `far` of a coordinate."""
    first, last = int((center - far - low) // cell), int((center + far - low) // cell)
    return max(first, 0), min(last, cells - 1)


@njit(cache=True, nogil=True, error_model="numpy")
def _list(pose, half, present, radius, low, cell, rows, columns):  # type: ignore[no-untyped-def]
    frames, tracks = present.shape
    cells = (rows + 2) * (columns + 2)
    start, count, n = np.zeros((frames + 1) * cells + 1, np.int32), np.zeros(cells, np.int32), 0
    near = radius + cell * np.sqrt(0.5)
    box, at, who = np.empty(1024, np.int32), np.empty(1024, np.int32), np.empty(1024, np.int32)
    for f in range(frames):
        count[:] = 0
        found = 0
        for a in range(tracks):
            if not present[f, a]:
                continue
            x, y, cos, sin = pose[f, a, 0], pose[f, a, 1], pose[f, a, 2], pose[f, a, 3]
            far = np.hypot(half[a, 0], half[a, 1]) + radius
            r0, r1 = _window(y, far, low[1], cell, rows)
            c0, c1 = _window(x, far, low[0], cell, columns)
            at = _enlarged(at, found + (r1 - r0 + 1) * (c1 - c0 + 1))
            who = _enlarged(who, len(at))
            for r in range(r0, r1 + 1):
                for c in range(c0, c1 + 1):
                    dx, dy = low[0] + (c + 0.5) * cell - x, low[1] + (r + 0.5) * cell - y
                    ahead = max(abs(cos * dx + sin * dy) - half[a, 0], 0.0)
                    aside = max(abs(cos * dy - sin * dx) - half[a, 1], 0.0)
                    if ahead * ahead + aside * aside <= near * near:
                        at[found] = (r + 1) * (columns + 2) + c + 1
                        who[found] = f * tracks + a
                        count[at[found]] += 1
                        found += 1
        box = _enlarged(box, n + found)
        for c in range(cells):
            start[f * cells + c] = n
            n += count[c]
            # From here on, where the next box of the cell goes.
            count[c] = start[f * cells + c]
        for i in range(found):
            box[count[at[i]]] = who[i]
            count[at[i]] += 1
    start[frames * cells :] = n
    return start, box[:n].copy()


@njit(cache=True, nogil=True, error_model="numpy")
def _enlarged(array, size):  # type: ignore[no-untyped-def]
    """The array with room for at least `size`."""
    if size <= len(array):
        return array
    larger = np.empty(2 * size, array.dtype)
    larger[: len(array)] = array
    return larger
