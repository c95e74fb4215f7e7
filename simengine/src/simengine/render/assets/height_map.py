"""Heights of the road as a picture from above, `road_height_map/` of the released assets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.errors import AssetError


@dataclass(frozen=True, eq=False)
class HeightMap:
    """Heights on a grid.

    A point p of the scene lies in column and row floor((p R^T + t) s).

    Attributes:
        heights: (rows, columns) float32 [m] in the scene frame, NaN where unknown.
        rotation: (2, 2) R.
        translation: (2,) t [m].
        scale: s [cells / m].
    """

    heights: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    scale: float

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Return heights (...) at places (..., 2), linear between cell centres; NaN off the map or where unknown.

        Unknown cells count for nothing as long as one of the four around is known.
        """
        cells = (np.asarray(xy, np.float64) @ self.rotation.T + self.translation) * self.scale - 0.5
        low = np.floor(cells)
        part = cells - low
        rows, columns = self.heights.shape
        total, weight = np.zeros(cells.shape[:-1]), np.zeros(cells.shape[:-1])
        for dx in (0, 1):
            for dy in (0, 1):
                column, row = (low[..., 0] + dx).astype(np.int64), (low[..., 1] + dy).astype(np.int64)
                inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
                height = self.heights[np.where(inside, row, 0), np.where(inside, column, 0)]
                share = np.abs(1 - dx - part[..., 0]) * np.abs(1 - dy - part[..., 1])
                share = np.where(inside & np.isfinite(height), share, 0.0)
                total += share * np.where(share > 0, height, 0.0)
                weight += share
        return np.where(weight > 1e-9, total / np.maximum(weight, 1e-9), np.nan)


def read_height_map(folder: Path) -> HeightMap | None:
    """Return the map in `folder` (`road_height_map.npy` and `sim2.json`), None if there is no such folder.

    Raises:
        AssetError: a file is missing, unreadable or of the wrong shape.
    """
    if not folder.is_dir():
        return None
    try:
        heights = np.load(folder / "road_height_map.npy", allow_pickle=False)
        sim2 = json.loads((folder / "sim2.json").read_text())
        rotation = np.array(sim2["R"], np.float64).reshape(2, 2)
        translation = np.array(sim2["t"], np.float64).reshape(2)
        scale = float(sim2["s"])
        if heights.ndim != 2 or not heights.size or heights.dtype.kind not in "fiu":
            raise ValueError(f"heights of shape {heights.shape} and type {heights.dtype}")
        if not (np.isfinite(rotation).all() and np.isfinite(translation).all() and 0 < scale < np.inf):
            raise ValueError("a similarity that is not finite")
    except (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError) as error:
        raise AssetError(
            f"{folder}: cannot be read ({type(error).__name__}: {error}), expected road_height_map.npy (rows, "
            "columns) and sim2.json with R, t and s: copy the folder again, or leave it out"
        ) from None
    return HeightMap(heights.astype(np.float32), rotation, translation, scale)
