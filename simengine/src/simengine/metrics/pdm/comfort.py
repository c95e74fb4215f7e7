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
from numba import njit

from simengine.metrics.pdm.parameters import ComfortRules
from simengine.rows import for_rows

MINIMUM_STATES = 5
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


def filters(length: int, dt: float, rules: ComfortRules) -> np.ndarray:
    """Return the filters of a mode (5, length, length), transposed: input sample first.

    In order: acceleration, smoothing before jerk, jerk, yaw acceleration, yaw rate.
    """

    def matrix(window: int | None, order: int, derivative: int) -> np.ndarray:
        window = min(window or length, length)
        return smoothing_matrix(length, window, min(order, window - 1), derivative).T / dt**derivative

    return np.stack(
        [
            matrix(rules.acceleration_window, 2, 0),
            matrix(rules.presmoothing_window, 2, 0),
            matrix(rules.jerk_window, 2, 1),
            matrix(rules.yaw_window, 3, 2),
            matrix(rules.yaw_window, 2, 1),
        ]
    )


def comfort(
    states: np.ndarray, dt: float, rules: ComfortRules | None = None, threads: int | None = None
) -> Comfort:
    """Return the comfort of state sequences (P, S, 11) `dt` [s] apart; below 5 states it means little."""
    rules = rules or ComfortRules()
    count, length = states.shape[:2]
    matrices = filters(length, dt, rules)
    reach = np.array([[_reach(row) for row in matrix] for matrix in matrices])
    series = np.empty((count, len(BOUNDS), length))
    for_rows(
        lambda a, b: _filter_all(states[a:b], matrices, reach, rules.centripetal, series[a:b]), count, threads
    )
    return judge(series)


def judge(series: np.ndarray) -> Comfort:
    """Return which of the smoothed series (P, 6, S) stay strictly inside their bounds."""
    limits = np.array(list(BOUNDS.values()))
    inside = (series > limits[:, :1]) & (series < limits[:, 1:])
    within = inside.all(axis=-1)
    broken = ~inside.all(axis=1)
    first = np.where(broken.any(axis=1), broken.argmax(axis=1).astype(float), np.inf)
    at_first = ~inside[np.arange(len(series)), :, broken.argmax(axis=1)]
    check = np.where(broken.any(axis=1), at_first.argmax(axis=1), -1)
    return Comfort(series, within, within.all(axis=1).astype(np.float64), first, check)


def _reach(row: np.ndarray) -> tuple[int, int]:
    """Return the first and one past the last output that an input sample has a weight in."""
    used = np.flatnonzero(row)
    return (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _filter(series, matrix, reach, out):  # type: ignore[no-untyped-def]
    # Every output adds up its inputs in order, whatever the processor: the loop over outputs is the inner one.
    out[:] = 0.0
    for j in range(len(series)):
        value = series[j]
        for i in range(reach[j, 0], reach[j, 1]):
            out[i] += matrix[j, i] * value
    for i in range(len(out)):
        out[i] = np.rint(out[i] * 1e8) / 1e8


@njit(cache=True, nogil=True, error_model="numpy")
def _filter_all(states, matrices, reach, centripetal, series):  # type: ignore[no-untyped-def]
    length = states.shape[1]
    ax, ay, size, heading = np.empty(length), np.empty(length), np.empty(length), np.empty(length)
    smooth, across = np.empty(length), np.empty(length)
    for p in range(len(states)):
        turns = 0.0
        for s in range(length):
            ax[s], ay[s] = states[p, s, 5], states[p, s, 6]
            if centripetal:
                ay[s] = states[p, s, 3] * states[p, s, 9]
            size[s] = np.hypot(ax[s], ay[s])
            if s > 0:
                turns += np.rint((states[p, s, 2] - states[p, s - 1, 2]) / (2.0 * np.pi))
            heading[s] = states[p, s, 2] - 2.0 * np.pi * turns
        out = series[p]
        _filter(ax, matrices[0], reach[0], out[0])
        _filter(ay, matrices[0], reach[0], out[1])
        _filter(ax, matrices[1], reach[1], smooth)
        _filter(smooth, matrices[2], reach[2], out[3])
        if centripetal:
            _filter(ay, matrices[1], reach[1], smooth)
            _filter(smooth, matrices[2], reach[2], across)
            for s in range(length):
                out[2, s] = np.hypot(out[3, s], across[s])
        else:
            _filter(size, matrices[1], reach[1], smooth)
            _filter(smooth, matrices[2], reach[2], out[2])
        _filter(heading, matrices[3], reach[3], out[4])
        _filter(heading, matrices[4], reach[4], out[5])
