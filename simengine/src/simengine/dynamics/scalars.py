"""The two small functions that the formulas need and numpy does not offer for one number."""

from __future__ import annotations

from numba import njit
from numpy import floor, pi


@njit(cache=True, nogil=True, error_model="numpy")
def wrap(angle):  # type: ignore[no-untyped-def]
    """Return `angle` [rad] wrapped to [-pi, pi)."""
    return angle - 2.0 * pi * floor((angle + pi) / (2.0 * pi))


@njit(cache=True, nogil=True, error_model="numpy")
def clip(value, low, high):  # type: ignore[no-untyped-def]
    """Return `value`, but at least `low` and at most `high`."""
    return min(max(value, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def where(condition, one, other):  # type: ignore[no-untyped-def]
    """Return `one` if `condition` holds, otherwise `other`."""
    return one if condition else other
