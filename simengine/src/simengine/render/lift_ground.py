"""Turns a painted canvas into flat Gaussians: small where it has detail and near the road, large elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simengine.render import sh
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift_canvas import ROAD, Canvas

LEVELS = 6
"""Blocks are 1, 2, 4, ... 32 cells wide."""
_SIGMA_PER_SIZE = 0.52
_THICKNESS = 0.01
_UNIFORM = 0.05
_SKIRT_CELL = 25.0
_SKIRT_REACH = 320.0
_SKIRT_COLOR = (0.42, 0.46, 0.36)


@dataclass(frozen=True)
class GroundDetail:
    """Sizes of ground blocks against the distance from the ego path.

    Attributes:
        distances: (D,) rising [m].
        finest: (D + 1,) smallest block up to each distance and beyond the last [m].
        coarsest: (D + 1,) largest block, likewise [m].
    """

    distances: tuple[float, ...] = (12.0, 26.0, 45.0)
    finest: tuple[float, ...] = (0.15, 0.15, 0.35, 0.7)
    coarsest: tuple[float, ...] = (0.45, 0.9, 1.8, 6.4)


def ground_gaussians(
    canvas: Canvas, path: np.ndarray, rng: np.random.Generator, detail: GroundDetail | None = None
) -> FlatGaussians:
    """Return Gaussians of the ground in the world frame.

    Args:
        canvas: painted ground; its sides are multiples of 32 cells.
        path: (N, 2) ego path around which detail is kept [m].
        rng: source of surface texture.
        detail: block sizes; None takes the defaults.
    """
    detail = detail or GroundDetail()
    centers, sizes, colors, roads = [], [], [], []
    for level, leaf, rgb in _leaves(canvas, path, detail):
        step = 1 << level
        x, y = canvas.centers(step)
        row, column = np.nonzero(leaf)
        centers.append(np.stack([x[column], y[row]], axis=1))
        sizes.append(np.full(len(row), step * canvas.cell))
        colors.append(rgb[row, column])
        roads.append(canvas.kind[row * step + step // 2, column * step + step // 2] == ROAD)
    xy, size = np.concatenate(centers), np.concatenate(sizes)
    color = _textured(np.concatenate(colors), np.concatenate(roads), xy, rng)
    skirt = _skirt(canvas)
    xy = np.concatenate([xy, skirt])
    size = np.concatenate([size, np.full(len(skirt), _SKIRT_CELL)])
    color = np.concatenate([color, np.tile(np.array(_SKIRT_COLOR), (len(skirt), 1))])
    return flat_discs(xy, np.zeros(len(xy)), size * _SIGMA_PER_SIZE, color)


def flat_discs(xy: np.ndarray, z: np.ndarray, sigma: np.ndarray, color: np.ndarray) -> FlatGaussians:
    """Return level discs at xy (N, 2), z (N,) with deviations `sigma` (N,) [m] and colours (N, 3)."""
    n = len(xy)
    quats = np.zeros((n, 4), np.float32)
    quats[:, 0] = 1.0
    return FlatGaussians(
        means=np.concatenate([xy, z[:, None]], axis=1),
        quats=quats,
        scales=np.stack([sigma, sigma, np.full(n, _THICKNESS)], axis=1),
        opacities=np.full(n, 0.99, np.float32),
        sh=sh.from_rgb(color),
    )


def path_distance(canvas: Canvas, path: np.ndarray, step: int) -> np.ndarray:
    """Return the distance [m] of blocks of `step` cells (H / step, W / step) to the path (N, 2)."""
    rows, columns = canvas.kind.shape
    away = np.ones((rows // step, columns // step), bool)
    cells = np.floor(canvas.to_cells(path) / step).astype(int)
    away[np.clip(cells[:, 1], 0, away.shape[0] - 1), np.clip(cells[:, 0], 0, away.shape[1] - 1)] = False
    return ndimage.distance_transform_edt(away) * step * canvas.cell


def _leaves(
    canvas: Canvas, path: np.ndarray, detail: GroundDetail
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Return (level, mask of blocks to draw, mean colour) for each level of a balanced quadtree."""
    top = LEVELS - 1
    band = np.searchsorted(detail.distances, path_distance(canvas, path, 1 << top))
    finest, coarsest = np.array(detail.finest)[band], np.array(detail.coarsest)[band]
    low = high = mean = canvas.rgb
    split = np.zeros(canvas.kind.shape, bool)
    splits, means = [split], [mean]
    for level in range(1, LEVELS):
        low, high = _pooled(low, np.minimum), _pooled(high, np.maximum)
        mean = 0.25 * _pooled(mean, np.add)
        size = (1 << level) * canvas.cell
        repeat = 1 << (top - level)
        may = _repeat(0.5 * size >= finest - 1e-6, repeat)
        must = _repeat(size > coarsest + 1e-6, repeat) & may
        detailed = ((high - low).max(axis=2) > _UNIFORM) & may
        # A block next to a split block may be one level larger at most, so that wide Gaussians do not cover detail.
        grown = ndimage.binary_dilation(split, np.ones((3, 3), bool)) if level > 1 else split
        split = detailed | must | _pooled(grown, np.logical_or)
        splits.append(split)
        means.append(mean)
    leaves = []
    for level in range(LEVELS):
        reached = np.ones_like(splits[level]) if level == top else _repeat(splits[level + 1], 2)
        leaves.append((level, reached & ~splits[level], means[level]))
    return leaves


def _pooled(array: np.ndarray, combine: np.ufunc) -> np.ndarray:
    """Return (H / 2, W / 2, ...) of `array` (H, W, ...) with each 2 x 2 block combined by `combine`."""
    columns = combine(array[:, 0::2], array[:, 1::2])
    return combine(columns[0::2], columns[1::2])


def _repeat(array: np.ndarray, times: int) -> np.ndarray:
    """Return (H, W) with every entry repeated to a block of `times` x `times`."""
    return np.repeat(np.repeat(array, times, axis=0), times, axis=1)


def _textured(color: np.ndarray, road: np.ndarray, xy: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return colours (N, 3) with grain and slow patches, which give motion something to hold on to."""
    grain = rng.normal(0.0, 1.0, len(color)) * np.where(road, 0.035, 0.06)
    patches = np.zeros(len(color))
    for wavelength in (3.1, 7.3, 17.0):
        direction, phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        along = xy @ np.array([np.cos(direction), np.sin(direction)])
        patches += np.sin(2.0 * np.pi * along / wavelength + phase)
    factor = 1.0 + grain + patches * np.where(road, 0.02, 0.04)
    return np.clip(color * factor[:, None], 0.02, 1.0)


def _skirt(canvas: Canvas) -> np.ndarray:
    """Return centres (N, 2) of wide discs around the canvas, out to the haze."""
    rows, columns = canvas.kind.shape
    span = np.array([columns, rows]) * canvas.cell
    axes = [
        np.arange(low - _SKIRT_REACH, low + length + _SKIRT_REACH, _SKIRT_CELL)
        for low, length in zip(canvas.corner, span, strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    margin = 0.3 * _SKIRT_CELL
    inside = ((grid > canvas.corner - margin) & (grid < canvas.corner + span + margin)).all(axis=1)
    return grid[~inside]
