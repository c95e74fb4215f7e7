"""Savitzky-Golay filters over the rows of a batch, summed in a fixed order."""

from __future__ import annotations

import numpy as np
from numba import njit

from simengine.metrics.pdm.comfort import smoothing_matrix


def smooth(
    series: np.ndarray, window: int | None, order: int, derivative: int = 0, dt: float = 1.0
) -> np.ndarray:
    """Return the filtered series (P, T), or a derivative of it, rounded to 8 decimals like NAVSIM's.

    Args:
        series: (P, T) samples.
        window: samples per fit, at most T; None fits one polynomial to the whole series.
        order: degree of the polynomial.
        derivative: which derivative of it to return.
        dt: time between samples [s].
    """
    length = series.shape[-1]
    window = length if window is None else min(window, length)
    matrix = smoothing_matrix(length, window, min(order, window - 1), derivative)
    # A row of the matrix is zero outside its window.
    first = np.minimum((matrix != 0.0).argmax(axis=1), length - window)
    weights = np.ascontiguousarray(matrix[np.arange(length)[:, None], first[:, None] + np.arange(window)])
    filtered = np.empty(series.shape)
    _apply(series, weights, first, dt**derivative, filtered)
    return filtered


def unwrapped(heading: np.ndarray) -> np.ndarray:
    """Return headings (P, T) without jumps of whole turns between samples."""
    turns = np.cumsum(np.round(np.diff(heading, axis=-1) / (2 * np.pi)), axis=-1)
    continuous = np.array(heading, dtype=np.float64)
    continuous[:, 1:] -= 2 * np.pi * turns
    return continuous


@njit(cache=True, nogil=True, error_model="numpy")
def _apply(series, weights, first, scale, filtered):  # type: ignore[no-untyped-def]
    for p in range(series.shape[0]):
        for t in range(series.shape[1]):
            total = 0.0
            for w in range(weights.shape[1]):
                total += weights[t, w] * series[p, first[t] + w]
            filtered[p, t] = np.rint(total / scale * 1e8) / 1e8
