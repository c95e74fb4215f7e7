"""Compiled: how far each ray of one lidar goes.

`tests/oracles/lidar.py` is the obvious version. A tile looks at its Gaussians in the order in which they may begin, so
that a ray can end as soon as nothing that is still to come could lie before its return.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.render.backend import MAX_ALPHA, MIN_ALPHA
from simengine.render.lidar.binning import TILE_AZIMUTHS, TILE_BEAMS


@njit(cache=True, nogil=True, error_model="numpy")
def trace(
    means: np.ndarray,
    whiten: np.ndarray,
    opacities: np.ndarray,
    normals: np.ndarray,
    flatness: np.ndarray,
    reflectance: np.ndarray,
    near: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    origin: np.ndarray,
    directions: np.ndarray,
    clear: np.ndarray,
    limits: np.ndarray,
    share: int,
    shares: int,
    ranges: np.ndarray,
    returned: np.ndarray,
) -> None:
    """Write range [m] and returned share of light of the rays of every `shares`-th tile; NaN and 0 without a return.

    Args:
        means: (K, 3), see `Surfels`; so are the next five.
        whiten: (K, 3, 3).
        opacities: (K,).
        normals: (K, 3).
        flatness: (K,).
        reflectance: (K,).
        near: (K,) of `binning.bound`.
        rows: lists of `binning.deal`.
        starts: where they start.
        origin: (3,) of the sensor in the frame of the Gaussians.
        directions: (B, A, 3) unit vectors in the frame of the Gaussians.
        clear: (B, A) rays to follow.
        limits: (3,) least range, largest range [m], accumulated opacity that makes a return.
        share: first tile.
        shares: distance between tiles.
        ranges: (B, A) float64, written.
        returned: (B, A) float64, written.
    """
    beams, azimuths = clear.shape
    wide = (azimuths + TILE_AZIMUTHS - 1) // TILE_AZIMUTHS
    longest = 0
    for tile in range(share, len(starts) - 1, shares):
        longest = max(longest, starts[tile + 1] - starts[tile])
    places, alphas, seen = np.empty(longest), np.empty(longest), np.empty(longest, np.int32)
    for tile in range(share, len(starts) - 1, shares):
        low, left = tile // wide * TILE_BEAMS, tile % wide * TILE_AZIMUTHS
        for b in range(low, min(low + TILE_BEAMS, beams)):
            for a in range(left, min(left + TILE_AZIMUTHS, azimuths)):
                ranges[b, a], returned[b, a] = np.nan, 0.0
                if not clear[b, a]:
                    continue
                d = directions[b, a]
                transmittance, light, weights = 1.0, 0.0, 0.0
                count = done = 0
                k, stop = starts[tile], starts[tile + 1]
                while True:
                    # Whatever lies before everything that is still to come is final.
                    horizon = near[rows[k]] if k < stop else np.inf
                    while done < count and places[done] <= horizon:
                        i, alpha = seen[done], alphas[done]
                        weight = alpha * transmittance
                        facing = abs(normals[i, 0] * d[0] + normals[i, 1] * d[1] + normals[i, 2] * d[2])
                        light += weight * reflectance[i] * (1.0 - flatness[i] * (1.0 - facing))
                        weights += weight
                        transmittance *= 1.0 - alpha
                        if transmittance <= 1.0 - limits[2]:
                            ranges[b, a], returned[b, a] = places[done], light / weights
                            break
                        done += 1
                    if ranges[b, a] == ranges[b, a] or k >= stop or horizon > limits[1]:
                        break
                    i = rows[k]
                    k += 1
                    place, alpha = _meet(means[i], whiten[i], opacities[i], origin, d)
                    if alpha < MIN_ALPHA or not limits[0] <= place <= limits[1]:
                        continue
                    at = count
                    while at > done and places[at - 1] > place:
                        places[at], alphas[at], seen[at] = places[at - 1], alphas[at - 1], seen[at - 1]
                        at -= 1
                    places[at], alphas[at], seen[at] = place, alpha, i
                    count += 1


@njit(cache=True, inline="always", error_model="numpy")
def _meet(
    mean: np.ndarray, whiten: np.ndarray, opacity: float, origin: np.ndarray, d: np.ndarray
) -> tuple[float, float]:
    """Return where on a ray one Gaussian is densest [m], and its alpha there."""
    rx, ry, rz = origin[0] - mean[0], origin[1] - mean[1], origin[2] - mean[2]
    uu = uv = 0.0
    for row in range(3):
        mx, my, mz = np.float64(whiten[row, 0]), np.float64(whiten[row, 1]), np.float64(whiten[row, 2])
        u = mx * d[0] + my * d[1] + mz * d[2]
        v = mx * rx + my * ry + mz * rz
        uu += u * u
        uv += u * v
    place = -uv / uu
    q = 0.0
    for row in range(3):
        mx, my, mz = np.float64(whiten[row, 0]), np.float64(whiten[row, 1]), np.float64(whiten[row, 2])
        w = mx * (rx + place * d[0]) + my * (ry + place * d[1]) + mz * (rz + place * d[2])
        q += w * w
    return place, min(opacity * np.exp(-0.5 * q), MAX_ALPHA)
