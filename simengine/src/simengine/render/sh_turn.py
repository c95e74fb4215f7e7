"""Turning colour coefficients of many Gaussians, compiled: no matrix library, whose threads would fight for cores."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def turn_bands(sh: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return coefficients (N, K, 3) float32 times `matrix` (K, K) float32, whose bands do not mix."""
    out = np.empty_like(sh)
    for n in range(sh.shape[0]):
        first = 0
        degree = 0
        while first < sh.shape[1]:
            last = (degree + 1) * (degree + 1)
            for k in range(first, last):
                red, green, blue = np.float32(0.0), np.float32(0.0), np.float32(0.0)
                for j in range(first, last):
                    weight = matrix[k, j]
                    red += weight * sh[n, j, 0]
                    green += weight * sh[n, j, 1]
                    blue += weight * sh[n, j, 2]
                out[n, k, 0], out[n, k, 1], out[n, k, 2] = red, green, blue
            first = last
            degree += 1
    return out
