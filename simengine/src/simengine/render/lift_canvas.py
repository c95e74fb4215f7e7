"""A picture of the ground seen from above, on which roads and markings are painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.geometry.polyline import arc_length, drop_repeated, resample

OFF_ROAD, ROAD, WALKWAY = 0, 1, 2


@dataclass(frozen=True)
class Canvas:
    """A grid of square cells, row = y, column = x; painting changes it in place.

    Attributes:
        corner: (2,) world position of the grid's lower-left corner [m].
        cell: side of a cell [m].
        rgb: (H, W, 3) float32 colour in [0, 1].
        kind: (H, W) uint8: `OFF_ROAD`, `ROAD` or `WALKWAY`.
    """

    corner: np.ndarray
    cell: float
    rgb: np.ndarray
    kind: np.ndarray

    @classmethod
    def around(cls, points: np.ndarray, reach: float, cell: float, max_cells: int, multiple: int) -> Canvas:
        """Return an empty canvas that covers `points` (N, 2) and `reach` [m] beyond.

        Cells grow where the area would need more than `max_cells`; sides are multiples of `multiple` cells.
        """
        low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
        span = high - low
        cell = max(cell, float(np.sqrt(span.prod() / max_cells)))
        columns, rows = (np.ceil(span / (cell * multiple)).astype(int) * multiple).tolist()
        return cls(low, cell, np.zeros((rows, columns, 3), np.float32), np.zeros((rows, columns), np.uint8))

    def to_cells(self, points: np.ndarray) -> np.ndarray:
        """Return world `points` (..., 2) in cells, fractional, with cell centres at half integers."""
        return (np.asarray(points, dtype=np.float64)[..., :2] - self.corner) / self.cell

    def centers(self, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return world x (W / step,) and y (H / step,) of the centres of blocks of `step` cells."""
        rows, columns = self.kind.shape
        x = self.corner[0] + (np.arange(columns // step) + 0.5) * step * self.cell
        y = self.corner[1] + (np.arange(rows // step) + 0.5) * step * self.cell
        return x, y

    def touches(self, points: np.ndarray) -> bool:
        """Return whether the bounding box of world `points` (N, 2) meets the canvas."""
        if not len(points):
            return False
        cells = self.to_cells(points)
        rows, columns = self.kind.shape
        return bool((cells.max(axis=0) >= 0).all() and (cells.min(axis=0) <= (columns, rows)).all())

    def inside(self, polygon: np.ndarray) -> tuple[slice, slice, np.ndarray]:
        """Return the window (rows, columns) of a world polygon (N, 2) and the mask of cells inside it."""
        cells = self.to_cells(polygon)
        rows, columns = self.kind.shape
        x0, y0 = np.clip(np.floor(cells.min(axis=0)), 0, (columns, rows)).astype(int)
        x1, y1 = np.clip(np.ceil(cells.max(axis=0)), 0, (columns, rows)).astype(int)
        mask = np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), bool)
        _fill(mask, cells - (x0, y0))
        return slice(y0, y1), slice(x0, x1), mask

    def fill(self, polygon: np.ndarray, color: tuple[float, float, float], kind: int) -> None:
        """Paint the inside of a world polygon (N, 2)."""
        if len(polygon) >= 3 and self.touches(polygon):
            rows, columns, mask = self.inside(polygon)
            self.rgb[rows, columns][mask] = color
            self.kind[rows, columns][mask] = kind

    def strip(
        self,
        points: np.ndarray,
        width: float,
        color: tuple[float, float, float],
        kind: int = -1,
        dash: float = 0.0,
        gap: float = 0.0,
    ) -> None:
        """Paint a band of `width` [m] along world `points` (N, 2), dashed if `gap` > 0.

        Band edges blend with what is below. `kind` >= 0 also marks the covered cells.
        """
        points = drop_repeated(np.asarray(points, dtype=np.float64)[:, :2])
        if len(points) < 2 or not self.touches(points):
            return
        if arc_length(points)[-1] / 4.0 > len(points):
            points = resample(points, 4.0)
        cells = self.to_cells(points)
        period = (dash + gap) / self.cell if gap > 0.0 else 0.0
        half = 0.5 * width / self.cell
        _strip(self.rgb, self.kind, cells, half, np.array(color, np.float32), kind, dash / self.cell, period)

    def dots(self, points: np.ndarray, radius: float, color: tuple[float, float, float], kind: int) -> None:
        """Paint discs of `radius` [m] around world `points` (N, 2)."""
        if len(points):
            _dots(
                self.rgb,
                self.kind,
                self.to_cells(points),
                radius / self.cell,
                np.array(color, np.float32),
                kind,
            )


@njit(cache=True)
def _fill(mask: np.ndarray, polygon: np.ndarray) -> None:
    """Set `mask` where cell centres lie inside `polygon` (N, 2) in cells, by the even-odd rule."""
    rows, columns = mask.shape
    n = len(polygon)
    starts = np.zeros(rows + 1, np.int64)
    # Two passes over the edges: count the crossings of each row, then store them row by row.
    for k in range(n):
        first, last = _edge_rows(polygon[k - 1, 1], polygon[k, 1], rows)
        starts[first + 1 : last + 1] += 1
    starts = np.cumsum(starts)
    cursor = starts.copy()
    crossings = np.empty(starts[-1], np.float64)
    for k in range(n):
        ax, ay = polygon[k - 1]
        bx, by = polygon[k]
        first, last = _edge_rows(ay, by, rows)
        for row in range(first, last):
            crossings[cursor[row]] = ax + (row + 0.5 - ay) / (by - ay) * (bx - ax)
            cursor[row] += 1
    for row in range(rows):
        at = crossings[starts[row] : starts[row + 1]]
        at.sort()
        for k in range(0, len(at) - 1, 2):
            left = max(int(np.ceil(at[k] - 0.5)), 0)
            right = min(int(np.ceil(at[k + 1] - 0.5)), columns)
            mask[row, left:right] = True


@njit(cache=True)
def _edge_rows(ay: float, by: float, rows: int) -> tuple[int, int]:
    """Return the half-open range of rows whose centre line an edge from `ay` to `by` crosses."""
    first = int(np.ceil(min(ay, by) - 0.5))
    last = int(np.ceil(max(ay, by) - 0.5))
    return min(max(first, 0), rows), min(max(last, 0), rows)


@njit(cache=True)
def _strip(
    rgb: np.ndarray,
    kind: np.ndarray,
    points: np.ndarray,
    half: float,
    color: np.ndarray,
    new_kind: int,
    dash: float,
    period: float,
) -> None:
    """Blend a band of `half` cells to both sides of `points` (N, 2), in cells."""
    rows, columns = kind.shape
    travelled = 0.0
    for k in range(len(points) - 1):
        ax, ay = points[k]
        dx, dy = points[k + 1, 0] - ax, points[k + 1, 1] - ay
        length = np.sqrt(dx * dx + dy * dy)
        if length < 1e-9:
            continue
        x0 = max(int(min(ax, ax + dx) - half - 1.0), 0)
        x1 = min(int(max(ax, ax + dx) + half + 2.0), columns)
        y0 = max(int(min(ay, ay + dy) - half - 1.0), 0)
        y1 = min(int(max(ay, ay + dy) + half + 2.0), rows)
        for row in range(y0, y1):
            for column in range(x0, x1):
                px, py = column + 0.5 - ax, row + 0.5 - ay
                along = (px * dx + py * dy) / length
                if along < -0.5 or along > length + 0.5:
                    continue
                cover = min(half + 0.5 - abs(px * dy - py * dx) / length, 1.0)
                if cover <= 0.0 or (period > 0.0 and (travelled + along) % period > dash):
                    continue
                for c in range(3):
                    rgb[row, column, c] += cover * (color[c] - rgb[row, column, c])
                if new_kind >= 0 and cover >= 0.5:
                    kind[row, column] = new_kind
        travelled += length


@njit(cache=True)
def _dots(
    rgb: np.ndarray, kind: np.ndarray, points: np.ndarray, radius: float, color: np.ndarray, new_kind: int
) -> None:
    """Paint discs of `radius` around `points` (N, 2), all in cells."""
    rows, columns = kind.shape
    for k in range(len(points)):
        x, y = points[k]
        for row in range(max(int(y - radius), 0), min(int(y + radius) + 1, rows)):
            for column in range(max(int(x - radius), 0), min(int(x + radius) + 1, columns)):
                if (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2 <= radius * radius:
                    kind[row, column] = new_kind
                    for c in range(3):
                        rgb[row, column, c] = color[c]
