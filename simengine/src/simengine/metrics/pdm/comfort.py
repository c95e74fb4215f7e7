"""Comfort (C): 1 if six smoothed series stay inside their bounds, else 0.

All smoothing is Savitzky-Golay: a polynomial is fitted to each window by least squares; the first and
last outputs come from the fit to the first and last window. Such a filter is linear, so it is one
matrix for a given length; an even window is evaluated half a sample late, as in SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np

from simengine.datatypes.ego import StateIndex

LONG_WINDOW = 41
SHORT_WINDOW = 8
YAW_WINDOW = 5
MINIMUM_STATES = YAW_WINDOW
BOUNDS = {
    "longitudinal acceleration": (-4.05, 2.40),
    "lateral acceleration": (-4.89, 4.89),
    "jerk": (-8.37, 8.37),
    "longitudinal jerk": (-4.13, 4.13),
    "yaw acceleration": (-1.93, 1.93),
    "yaw rate": (-0.95, 0.95),
}


@dataclass(frozen=True)
class Comfort:
    """Comfort of P state sequences.

    Attributes:
        series: (P, 6, S) smoothed series in the order of `BOUNDS`.
        within: (P, 6) whether each stays strictly inside its bounds.
        score: (P,) 1 if all do, else 0.
        first_frame: (P,) first frame out of bounds, infinity without one.
        first_check: (P,) row of `BOUNDS` that is broken first, -1 without one.
    """

    series: np.ndarray
    within: np.ndarray
    score: np.ndarray
    first_frame: np.ndarray
    first_check: np.ndarray


@lru_cache(maxsize=64)
def smoothing_matrix(length: int, window: int, order: int, derivative: int = 0) -> np.ndarray:
    """Return the filter (length, length) for unit sample spacing.

    Args:
        length: number of samples.
        window: number of samples per fit, at most `length`.
        order: degree of the polynomial, less than `window`.
        derivative: which derivative of the polynomial to return.
    """
    half = window // 2
    matrix = np.zeros((length, length))
    late = 0.5 if window % 2 == 0 else 0.0
    for i in range(length):
        inner = half <= i < length - half
        start = i - half + (window % 2 == 0) if inner else (0 if i < half else length - window)
        at = i - start + (late if inner else 0.0)
        matrix[i, start : start + window] = _fit_weights(window, order, derivative, at)
    matrix.setflags(write=False)
    return matrix


def _fit_weights(window: int, order: int, derivative: int, at: float) -> np.ndarray:
    # An orthonormal basis on centred abscissae keeps the fit exact to rounding for any window.
    middle = 0.5 * (window - 1)
    scale = max(middle, 1.0)
    basis = np.vander((np.arange(window) - middle) / scale, order + 1, increasing=True)
    q, r = np.linalg.qr(basis)
    powers = np.arange(derivative, order + 1)
    row = np.zeros(order + 1)
    falling = np.array([factorial(k) / factorial(k - derivative) for k in powers])
    row[powers] = falling * ((at - middle) / scale) ** (powers - derivative) / scale**derivative
    return q @ np.linalg.solve(r.T, row)


def _smooth(series: np.ndarray, window: int, order: int, derivative: int = 0, dt: float = 1.0) -> np.ndarray:
    length = series.shape[-1]
    window = min(window, length)
    matrix = smoothing_matrix(length, window, min(order, window - 1), derivative)
    return np.round(series @ matrix.T / dt**derivative, 8)


def comfort(states: np.ndarray, dt: float) -> Comfort:
    """Return the comfort of state sequences (P, S, 11) `dt` [s] apart; below 5 states it means little."""
    ax, ay = states[..., StateIndex.ACCELERATION_X], states[..., StateIndex.ACCELERATION_Y]
    heading = states[..., StateIndex.HEADING]
    turns = np.cumsum(np.round(np.diff(heading, axis=-1) / (2 * np.pi)), axis=-1)
    heading = heading - 2 * np.pi * np.pad(turns, ((0, 0), (1, 0)))
    series = np.stack(
        [
            _smooth(ax, LONG_WINDOW, 2),
            _smooth(ay, LONG_WINDOW, 2),
            _smooth(_smooth(np.hypot(ax, ay), SHORT_WINDOW, 2), LONG_WINDOW, 2, 1, dt),
            _smooth(_smooth(ax, SHORT_WINDOW, 2), LONG_WINDOW, 2, 1, dt),
            _smooth(heading, YAW_WINDOW, 3, 2, dt),
            _smooth(heading, YAW_WINDOW, 2, 1, dt),
        ],
        axis=1,
    )
    limits = np.array(list(BOUNDS.values()))
    inside = (series > limits[:, :1]) & (series < limits[:, 1:])
    within = inside.all(axis=-1)
    broken = ~inside.all(axis=1)
    first = np.where(broken.any(axis=1), broken.argmax(axis=1).astype(float), np.inf)
    at_first = ~inside[np.arange(len(series)), :, broken.argmax(axis=1)]
    check = np.where(broken.any(axis=1), at_first.argmax(axis=1), -1)
    return Comfort(series, within, within.all(axis=1).astype(np.float64), first, check)
