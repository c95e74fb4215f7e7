"""Compiled sorting, binning into tiles, and blending of projected Gaussians of one camera.

`reference.blend` is the obvious version. Every tile is blended from its own list, so it does not matter which
thread draws which tiles.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.render.backend import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, TILE_PX

_F = np.float32
_RADIX_BITS = 11
_RADIX = 1 << _RADIX_BITS
_PIXELS = TILE_PX * TILE_PX
_CHECK_EVERY = 16

# exp(-8 y) is found as a polynomial of exp(-y), 0 <= y <= 0.75, to the eighth power: relative error 4e-8.
_P0, _P1, _P2, _P3 = _F(0.99999999), _F(-0.9999997), _F(0.49999352), _F(-0.16661411)
_P4, _P5, _P6 = _F(0.041462285), _F(-0.0079196437), _F(0.00095937314)


@njit(cache=True, nogil=True, error_model="numpy")
def sort_by_depth(keys: np.ndarray) -> np.ndarray:
    """Return rows (M,) int32 from near to far; equal depths keep their order.

    `keys` (M,) uint32 are the bits of positive float depths, which order like the depths.
    """
    n = len(keys)
    source, target = np.arange(n).astype(np.int32), np.empty(n, np.int32)
    for digit in range(3):
        shift = digit * _RADIX_BITS
        starts = np.zeros(_RADIX + 1, np.int64)
        for k in range(n):
            starts[((keys[source[k]] >> shift) & (_RADIX - 1)) + 1] += 1
        for k in range(_RADIX):
            starts[k + 1] += starts[k]
        for k in range(n):
            bucket = (keys[source[k]] >> shift) & (_RADIX - 1)
            target[starts[bucket]] = source[k]
            starts[bucket] += 1
        source, target = target, source
    return source


@njit(cache=True, inline="always")
def _tile_box(splat: np.ndarray, tiles_x: int, tiles_y: int) -> tuple[int, int, int, int]:
    """Return the half-open range of tile columns and rows that a projected Gaussian may touch."""
    size = _F(TILE_PX)
    x0 = max(int(np.floor((splat[0] - splat[10]) / size)), 0)
    x1 = min(int(np.ceil((splat[0] + splat[10]) / size)), tiles_x)
    y0 = max(int(np.floor((splat[1] - splat[11]) / size)), 0)
    y1 = min(int(np.ceil((splat[1] + splat[11]) / size)), tiles_y)
    return x0, x1, y0, y1


@njit(cache=True, nogil=True, error_model="numpy")
def bin_tiles(
    splats: np.ndarray, order: np.ndarray, tiles_x: int, tiles_y: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which Gaussians each tile must look at.

    Args:
        splats: (M, 12) float32, see `Splat`.
        order: rows of `splats` from near to far.
        tiles_x: columns of tiles.
        tiles_y: rows of tiles.

    Returns:
        The lists of all tiles one after another, near to far, int32, and where each starts (tiles + 1,) int64.
    """
    offsets = np.zeros(tiles_x * tiles_y + 1, np.int64)
    for row in order:
        x0, x1, y0, y1 = _tile_box(splats[row], tiles_x, tiles_y)
        for ty in range(y0, y1):
            for tx in range(x0, x1):
                offsets[ty * tiles_x + tx + 1] += 1
    offsets = np.cumsum(offsets)
    cursor = offsets.copy()
    rows = np.empty(offsets[-1], np.int32)
    for row in order:
        x0, x1, y0, y1 = _tile_box(splats[row], tiles_x, tiles_y)
        for ty in range(y0, y1):
            for tx in range(x0, x1):
                tile = ty * tiles_x + tx
                rows[cursor[tile]] = row
                cursor[tile] += 1
    return rows, offsets


@njit(cache=True, nogil=True, error_model="numpy")
def blend_tiles(
    splats: np.ndarray,
    rows: np.ndarray,
    offsets: np.ndarray,
    first: int,
    step: int,
    rgb: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Draw every `step`-th tile from `first` on into `rgb` and, unless it is empty, `depth`.

    Args:
        splats: (M, 12) float32, see `Splat`.
        rows: lists of `bin_tiles`.
        offsets: starts of the lists.
        first: first tile to draw.
        step: distance between the tiles to draw.
        rgb: (H, W, 3) uint8, written.
        depth: (H, W) float32, written, or (0, 0).
    """
    tiles_x = (rgb.shape[1] + TILE_PX - 1) // TILE_PX
    state = np.empty(6 * _PIXELS, np.float32)
    for tile in range(first, len(offsets) - 1, step):
        left, top = (tile % tiles_x) * TILE_PX, (tile // tiles_x) * TILE_PX
        width, height = min(TILE_PX, rgb.shape[1] - left), min(TILE_PX, rgb.shape[0] - top)
        # Planes of one tile: transmittance, alive, red, green, blue, depth.
        state[: 2 * _PIXELS] = _F(1.0)
        state[2 * _PIXELS :] = _F(0.0)
        _blend_tile(splats, rows, offsets[tile], offsets[tile + 1], _F(left), _F(top), height, state)
        for y in range(height):
            for x in range(width):
                at = y * TILE_PX + x
                for c in range(3):
                    value = min(state[(2 + c) * _PIXELS + at], _F(1.0)) * _F(255.0)
                    rgb[top + y, left + x, c] = np.uint8(value + _F(0.5))
                if depth.size > 0:
                    depth[top + y, left + x] = state[5 * _PIXELS + at] / max(_F(1.0) - state[at], _F(1e-10))


@njit(cache=True, inline="always", error_model="numpy")
def _blend_tile(
    splats: np.ndarray,
    rows: np.ndarray,
    start: int,
    stop: int,
    left: float,
    top: float,
    height: int,
    state: np.ndarray,
) -> None:
    """Blend one list into the planes of one tile.

    Rows of 16 pixels are handled by straight loops without branches, which the compiler turns into vector code.
    """
    for k in range(start, stop):
        splat = splats[rows[k]]
        y0 = max(int(splat[1] - splat[11] - top), 0)
        y1 = min(int(splat[1] + splat[11] - top) + 1, height)
        a, b, c = splat[2] * _F(0.0625), splat[3] * _F(0.125), splat[4] * _F(0.0625)
        opacity, z = splat[5], splat[9]
        red, green, blue = splat[6], splat[7], splat[8]
        dx0 = splat[0] - left - _F(0.5)
        for y in range(y0, y1):
            dy = splat[1] - top - _F(0.5) - _F(y)
            slope, base = b * dy, c * dy * dy
            at = (y & (TILE_PX - 1)) * TILE_PX  # the mask shows the compiler that no index is negative
            for x in range(TILE_PX):
                dx = dx0 - _F(x)
                s = (a * dx + slope) * dx + base
                p = min(s, _F(0.75))
                e = _P0 + p * (_P1 + p * (_P2 + p * (_P3 + p * (_P4 + p * (_P5 + p * _P6)))))
                e = e * e
                e = e * e
                e = e * e
                alpha = min(opacity * e, _F(MAX_ALPHA))
                before = state[at + x]
                after = before * (_F(1.0) - alpha)
                alive = state[_PIXELS + at + x]
                touched = (s >= _F(0.0)) & (alpha >= _F(MIN_ALPHA)) & (alive > _F(0.0))
                ended = touched & (after <= _F(MIN_TRANSMITTANCE))
                drawn = touched & (after > _F(MIN_TRANSMITTANCE))
                state[_PIXELS + at + x] = _F(0.0) if ended else alive
                state[at + x] = after if drawn else before
                weight = alpha * before if drawn else _F(0.0)
                state[2 * _PIXELS + at + x] += weight * red
                state[3 * _PIXELS + at + x] += weight * green
                state[4 * _PIXELS + at + x] += weight * blue
                state[5 * _PIXELS + at + x] += weight * z
        if (k - start) % _CHECK_EVERY == _CHECK_EVERY - 1 and not _any_alive(state, height):
            return


@njit(cache=True, inline="always")
def _any_alive(state: np.ndarray, height: int) -> bool:
    """Return whether some pixel of the tile still lets light through."""
    alive = 0
    for at in range(_PIXELS, _PIXELS + height * TILE_PX):
        alive += state[at] > _F(0.0)
    return alive > 0
