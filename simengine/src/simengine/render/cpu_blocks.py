"""Finds the Gaussians that a camera may see without looking at all of them.

A set that stays the same is sorted once into blocks of neighbours; all cameras and all later images skip the blocks
they cannot see. The rows found, and their order, are those of `cpu_projection.find_candidates`, so images are too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.render.backend import EPS_2D, EXTENT_SIGMAS, NEAR_PLANE
from simengine.render.cpu_projection import candidate_reach, is_candidate
from simengine.render.gaussians import FlatGaussians

_BLOCK = 256
_CELLS = 1024
MIN_BLOCKED = 4096
"""Smaller sets are not worth sorting."""


@dataclass(frozen=True, eq=False)
class Blocks:
    """Neighbouring Gaussians together.

    Attributes:
        rows: (N,) int32 rows of the set, block after block.
        means: (N, 3) float32 centres in that order.
        sizes: (N,) float32 largest scales in that order.
        centers: (B, 3) middles of the blocks.
        radii: (B,) distance from the middle within which the centres of a block lie.
        max_sizes: (B,) largest scale in each block.
    """

    rows: np.ndarray
    means: np.ndarray
    sizes: np.ndarray
    centers: np.ndarray
    radii: np.ndarray
    max_sizes: np.ndarray

    @classmethod
    def of(cls, gaussians: FlatGaussians) -> Blocks:
        """Return the blocks of a set; Gaussians without a finite place or size are left out, as nobody sees them."""
        sizes = gaussians.scales.max(axis=1)
        kept = np.flatnonzero(np.isfinite(gaussians.means).all(axis=1) & np.isfinite(sizes))
        rows = kept[np.argsort(_morton(gaussians.means[kept]), kind="stable")].astype(np.int32)
        means, sizes = gaussians.means[rows], sizes[rows]
        starts = np.arange(0, len(rows), _BLOCK)
        low, high = np.minimum.reduceat(means, starts), np.maximum.reduceat(means, starts)
        low, high = low.astype(np.float64), high.astype(np.float64)
        radii = 0.5 * np.linalg.norm(high - low, axis=1) * (1.0 + 1e-6) + 1e-6
        max_sizes = np.maximum.reduceat(sizes, starts).astype(np.float64)
        return cls(rows, means, sizes, 0.5 * (low + high), radii, max_sizes)

    def candidates(self, view: np.ndarray) -> np.ndarray:
        """Return the rows (M,) int32 of Gaussians that may touch the image of `view` (18,), in order."""
        found = _find(self.rows, self.means, self.sizes, self.centers, self.radii, self.max_sizes, view)
        found.sort()
        return found


def _morton(means: np.ndarray) -> np.ndarray:
    """Return keys (N,) that are close for neighbours: the bits of the three grid coordinates in turn."""
    if not len(means):
        return np.zeros(0, np.int64)
    low, high = means.min(axis=0).astype(np.float64), means.max(axis=0).astype(np.float64)
    # One scale for all axes, so that blocks of flat worlds are flat too.
    cells = np.minimum((means - low) * (_CELLS / max((high - low).max(), 1e-9)), _CELLS - 1).astype(np.int64)
    key = np.zeros(len(means), np.int64)
    for bit in range(10):
        for axis in range(3):
            key |= ((cells[:, axis] >> bit) & 1) << (3 * bit + axis)
    return key


@njit(cache=True, nogil=True, error_model="numpy")
def _find(
    rows: np.ndarray,
    means: np.ndarray,
    sizes: np.ndarray,
    centers: np.ndarray,
    radii: np.ndarray,
    max_sizes: np.ndarray,
    v: np.ndarray,
) -> np.ndarray:
    """Return the rows of candidates in the order of the blocks."""
    index, count = np.empty(len(rows), np.int32), 0
    reach_x, reach_y = candidate_reach(v)
    for block in range(len(radii)):
        if not _may_see(centers[block], radii[block], max_sizes[block], reach_x, reach_y, v):
            continue
        for k in range(block * _BLOCK, min((block + 1) * _BLOCK, len(rows))):
            if is_candidate(means[k, 0], means[k, 1], means[k, 2], sizes[k], reach_x, reach_y, v):
                index[count] = rows[k]
                count += 1
    return index[:count].copy()


@njit(cache=True, inline="always", error_model="numpy")
def _may_see(
    center: np.ndarray, radius: float, size: float, reach_x: float, reach_y: float, v: np.ndarray
) -> bool:
    """Return false only if no Gaussian of a block is a candidate.

    The conditions of a candidate are linear in its place in the camera frame, so over a ball they are largest at the
    centre plus the radius times the length of their gradient.
    """
    fx, fy, cx, cy, width, height = v[0], v[1], v[2], v[3], v[4], v[5]
    px, py, pz = center[0], center[1], center[2]
    x = v[6] * px + v[7] * py + v[8] * pz + v[15]
    y = v[9] * px + v[10] * py + v[11] * pz + v[16]
    z = v[12] * px + v[13] * py + v[14] * pz + v[17]
    slack = EXTENT_SIGMAS * np.sqrt(EPS_2D) + 1.0
    ok = z + radius >= NEAR_PLANE
    left, right = cx + slack, width - cx + slack
    ok &= fx * x + left * z + reach_x * size + radius * np.sqrt(fx * fx + left * left) > 0.0
    ok &= right * z - fx * x + reach_x * size + radius * np.sqrt(fx * fx + right * right) > 0.0
    top, bottom = cy + slack, height - cy + slack
    ok &= fy * y + top * z + reach_y * size + radius * np.sqrt(fy * fy + top * top) > 0.0
    ok &= bottom * z - fy * y + reach_y * size + radius * np.sqrt(fy * fy + bottom * bottom) > 0.0
    return ok
