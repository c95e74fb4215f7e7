"""Compiled sorting, binning into tiles, and blending of projected Gaussians.

`reference.blend` is the obvious version. One tile is blended by one thread from its own list, so results do not
depend on the number of threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from simengine.render.backend import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE, TILE_PX
from simengine.render.cpu_projection import HIDDEN

_F = np.float32
_RADIX_BITS = 11
_RADIX = 1 << _RADIX_BITS
_PIXELS = TILE_PX * TILE_PX
_STRIDE = 7919
"""A prime: stepping through tiles by it spreads neighbouring (similarly busy) tiles over the threads."""
_CHECK_EVERY = 16

# exp(-8 y) is found as a polynomial of exp(-y), 0 <= y <= 0.75, to the eighth power: relative error 4e-8.
_P0, _P1, _P2, _P3 = _F(0.99999999), _F(-0.9999997), _F(0.49999352), _F(-0.16661411)
_P4, _P5, _P6 = _F(0.041462285), _F(-0.0079196437), _F(0.00095937314)


@njit(cache=True, parallel=True, nogil=True)
def sort_by_depth(keys: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each camera's rows from near to far, and how many of them are visible.

    Args:
        keys: (M,) uint32 bits of positive depths; `HIDDEN` rows go last.
        starts: (C + 1,) int64 first row of each camera.

    Returns:
        Rows (M,) int32 and counts (C,) int64. Equal depths keep their order.
    """
    cams = len(starts) - 1
    order = np.empty(len(keys), np.int32)
    visible = np.zeros(cams, np.int64)
    for cam in prange(cams):
        first, last = starts[cam], starts[cam + 1]
        n = last - first
        source, target = np.empty(n, np.int32), np.empty(n, np.int32)
        m = 0
        for row in range(first, last):
            if keys[row] != HIDDEN:
                source[m] = row
                m += 1
        for digit in range(3):
            shift = digit * _RADIX_BITS
            histogram = np.zeros(_RADIX + 1, np.int64)
            for k in range(m):
                histogram[((keys[source[k]] >> shift) & (_RADIX - 1)) + 1] += 1
            for k in range(_RADIX):
                histogram[k + 1] += histogram[k]
            for k in range(m):
                bucket = (keys[source[k]] >> shift) & (_RADIX - 1)
                target[histogram[bucket]] = source[k]
                histogram[bucket] += 1
            source, target = target, source
        order[first : first + m] = source[:m]
        visible[cam] = m
    return order, visible


@njit(cache=True, inline="always")
def _tile_box(splat: np.ndarray, tiles_x: int, tiles_y: int) -> tuple[int, int, int, int]:
    """Return the half-open range of tile columns and rows that a projected Gaussian may touch."""
    size = _F(TILE_PX)
    x0 = max(int(np.floor((splat[0] - splat[10]) / size)), 0)
    x1 = min(int(np.ceil((splat[0] + splat[10]) / size)), tiles_x)
    y0 = max(int(np.floor((splat[1] - splat[11]) / size)), 0)
    y1 = min(int(np.ceil((splat[1] + splat[11]) / size)), tiles_y)
    return x0, x1, y0, y1


@njit(cache=True, parallel=True, nogil=True)
def count_tiles(
    splats: np.ndarray, order: np.ndarray, starts: np.ndarray, visible: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """Return how many Gaussians each tile must look at (all tiles of all cameras,) int64.

    `grid` (C, 3) int64 holds the tile columns and rows of each camera and the number of its first tile.
    """
    counts = np.zeros(grid[-1, 2] + grid[-1, 0] * grid[-1, 1], np.int64)
    for cam in prange(len(grid)):
        tiles_x, tiles_y, base = grid[cam]
        for k in range(starts[cam], starts[cam] + visible[cam]):
            x0, x1, y0, y1 = _tile_box(splats[order[k]], tiles_x, tiles_y)
            for ty in range(y0, y1):
                for tx in range(x0, x1):
                    counts[base + ty * tiles_x + tx] += 1
    return counts


@njit(cache=True, parallel=True, nogil=True)
def fill_tiles(
    splats: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    visible: np.ndarray,
    grid: np.ndarray,
    offsets: np.ndarray,
) -> np.ndarray:
    """Return the rows each tile must look at, near to far, (offsets[-1],) int32; see `count_tiles`."""
    rows = np.empty(offsets[-1], np.int32)
    for cam in prange(len(grid)):
        tiles_x, tiles_y, base = grid[cam]
        cursor = offsets[base : base + tiles_x * tiles_y].copy()
        for k in range(starts[cam], starts[cam] + visible[cam]):
            x0, x1, y0, y1 = _tile_box(splats[order[k]], tiles_x, tiles_y)
            for ty in range(y0, y1):
                for tx in range(x0, x1):
                    tile = ty * tiles_x + tx
                    rows[cursor[tile]] = order[k]
                    cursor[tile] += 1
    return rows


@njit(cache=True, parallel=True, nogil=True)
def blend_tiles(
    splats: np.ndarray,
    rows: np.ndarray,
    offsets: np.ndarray,
    grid: np.ndarray,
    sizes: np.ndarray,
    pixels: np.ndarray,
    rgb: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Draw all tiles of all cameras into `rgb` and, unless it is empty, `depth`.

    Args:
        splats: (M, 12) float32, see `Splat`.
        rows: list of each tile, near to far.
        offsets: (tiles + 1,) int64 start of each list.
        grid: (C, 3) int64, see `count_tiles`.
        sizes: (C, 2) int64 width and height [px].
        pixels: (C,) int64 first pixel of each image in the outputs.
        rgb: (P, 3) uint8, written.
        depth: (P,) float32, written, or (0,).
    """
    tiles = len(offsets) - 1
    for job in prange(tiles):
        tile = (job * _STRIDE) % tiles
        cam = 0
        while cam + 1 < len(grid) and grid[cam + 1, 2] <= tile:
            cam += 1
        left = ((tile - grid[cam, 2]) % grid[cam, 0]) * TILE_PX
        top = ((tile - grid[cam, 2]) // grid[cam, 0]) * TILE_PX
        width, height = min(TILE_PX, sizes[cam, 0] - left), min(TILE_PX, sizes[cam, 1] - top)
        # Planes of one tile: transmittance, alive, red, green, blue, depth.
        state = np.zeros(6 * _PIXELS, np.float32)
        state[: 2 * _PIXELS] = _F(1.0)
        _blend_tile(splats, rows, offsets[tile], offsets[tile + 1], _F(left), _F(top), height, state)
        for y in range(height):
            for x in range(width):
                at = y * TILE_PX + x
                out = pixels[cam] + (top + y) * sizes[cam, 0] + left + x
                for c in range(3):
                    value = min(state[(2 + c) * _PIXELS + at], _F(1.0)) * _F(255.0)
                    rgb[out, c] = np.uint8(value + _F(0.5))
                if len(depth) > 0:
                    depth[out] = state[5 * _PIXELS + at] / max(_F(1.0) - state[at], _F(1e-10))


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
