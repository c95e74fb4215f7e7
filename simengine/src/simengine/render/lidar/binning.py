"""Compiled: which rays of one lidar may meet which Gaussians, as boxes in azimuth and elevation dealt to tiles.

A box is found from the extents of the ellipsoid along three axes at its centre (away from the sensor in the plane,
sideways, up), so it is never too small, and tight for the ground, which is flat and seen from the side.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TILE_AZIMUTHS = 8
TILE_BEAMS = 4
SLACK = 1e-6
TURN = 2.0 * np.pi


@njit(cache=True, nogil=True, error_model="numpy")
def bound(
    means: np.ndarray,
    whiten: np.ndarray,
    variances: np.ndarray,
    reach: np.ndarray,
    origin: np.ndarray,
    axes: np.ndarray,
    elevations: np.ndarray,
    azimuths: int,
    max_range: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (K, 4) int32 of rays, and a distance (K,) [m] before which no ray meets the Gaussian.

    A box is first and last azimuth, the first in [0, azimuths) and the last perhaps beyond a whole turn, first beam
    and the one after the last; empty if that is not larger than the first.

    Args:
        means: (K, 3), see `Surfels`; so are the next three.
        whiten: (K, 3, 3).
        variances: (K, 3).
        reach: (K,).
        origin: (3,) of the sensor in the frame of the Gaussians.
        axes: (3, 3) rows are the x, y and z axes of the sensor in the frame of the Gaussians.
        elevations: (B,) of the beams, ascending [rad].
        azimuths: rays of each beam.
        max_range: Gaussians beyond it get empty boxes [m].
    """
    n = len(means)
    boxes = np.zeros((n, 4), np.int32)
    near = np.empty(n)
    step = TURN / azimuths
    for i in range(n):
        dx, dy, dz = means[i, 0] - origin[0], means[i, 1] - origin[1], means[i, 2] - origin[2]
        x = axes[0, 0] * dx + axes[0, 1] * dy + axes[0, 2] * dz
        y = axes[1, 0] * dx + axes[1, 1] * dy + axes[1, 2] * dz
        z = axes[2, 0] * dx + axes[2, 1] * dy + axes[2, 2] * dz
        flat = np.sqrt(x * x + y * y)
        distance = np.sqrt(flat * flat + z * z)
        c, s = (x / flat, y / flat) if flat > 1e-9 else (1.0, 0.0)
        out2 = side2 = up2 = line2 = 0.0
        for row in range(3):
            out = side = up = line = 0.0
            for k in range(3):
                m = np.float64(whiten[i, row, k])
                out += m * (c * axes[0, k] + s * axes[1, k])
                side += m * (c * axes[1, k] - s * axes[0, k])
                up += m * axes[2, k]
                line += m * (means[i, k] - origin[k])
            v = np.float64(variances[i, row])
            out2 += (v * out) ** 2
            side2 += (v * side) ** 2
            up2 += (v * up) ** 2
            line2 += (v * line) ** 2
        grow = np.float64(reach[i]) + SLACK
        out, side, up = grow * np.sqrt(out2), grow * np.sqrt(side2), grow * np.sqrt(up2)
        near[i] = distance - grow * np.sqrt(line2) / max(distance, 1e-9)
        if near[i] > max_range:
            continue
        inner, outer = flat - out, np.sqrt((flat + out) ** 2 + side * side)
        boxes[i, 0], boxes[i, 1] = 0, azimuths - 1
        if inner > 0.0:
            middle, half = np.arctan2(s, c), np.arctan2(side, inner) + SLACK
            first, last = np.ceil((middle - half) / step), np.floor((middle + half) / step)
            if last < first:
                continue
            if last - first < azimuths - 1:
                turn = np.floor(first / azimuths) * azimuths
                boxes[i, 0], boxes[i, 1] = int(first - turn), int(last - turn)
        inner = max(inner, 0.0)
        high, low = z + up, z - up
        top = np.arctan2(high, inner if high > 0.0 else outer) + SLACK
        bottom = np.arctan2(low, inner if low < 0.0 else outer) - SLACK
        boxes[i, 2] = np.searchsorted(elevations, bottom)
        boxes[i, 3] = np.searchsorted(elevations, top, side="right")
    return boxes, near


@njit(cache=True, nogil=True, error_model="numpy")
def deal(boxes: np.ndarray, order: np.ndarray, azimuths: int, beams: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that each tile of rays must look at, in `order`.

    Args:
        boxes: (K, 4) of `bound`.
        order: rows from near to far.
        azimuths: rays of each beam.
        beams: how many.

    Returns:
        The lists of all tiles one after another int32, and where each starts (tiles + 1,) int64; tiles are counted
        along azimuths first.
    """
    wide = (azimuths + TILE_AZIMUTHS - 1) // TILE_AZIMUTHS
    tall = (beams + TILE_BEAMS - 1) // TILE_BEAMS
    starts = np.zeros(wide * tall + 1, np.int64)
    rows = np.empty(0, np.int32)
    cursor = starts
    for is_filling in (False, True):
        if is_filling:
            starts = np.cumsum(starts)
            cursor = starts.copy()
            rows = np.empty(starts[-1], np.int32)
        for row in order:
            first, last, low, high = boxes[row, 0], boxes[row, 1], boxes[row, 2], boxes[row, 3]
            if high <= low:
                continue
            a = first // TILE_AZIMUTHS
            b = min(last, azimuths - 1) // TILE_AZIMUTHS
            rest = min((last - azimuths) // TILE_AZIMUTHS, a - 1) if last >= azimuths else -1
            for j in range(low // TILE_BEAMS, (high - 1) // TILE_BEAMS + 1):
                for k in range((b - a + 1) + (rest + 1)):
                    tile = j * wide + (a + k if k <= b - a else k - (b - a + 1))
                    if is_filling:
                        rows[cursor[tile]] = row
                        cursor[tile] += 1
                    else:
                        starts[tile + 1] += 1
    return rows, starts
