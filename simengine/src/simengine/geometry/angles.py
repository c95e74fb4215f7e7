"""Angles in radians, counter-clockwise positive."""

from __future__ import annotations

import numpy as np


def wrap(angle: np.ndarray | float) -> np.ndarray:
    """Return `angle` wrapped to [-pi, pi), any shape."""
    return (np.asarray(angle, dtype=np.float64) + np.pi) % (2.0 * np.pi) - np.pi


def interpolate(times: np.ndarray, knot_times: np.ndarray, knot_angles: np.ndarray) -> np.ndarray:
    """Return angles at `times` (M,), linear between unwrapped knots (K,), wrapped to [-pi, pi).

    Times outside the knots take the nearest knot.
    """
    return wrap(np.interp(times, knot_times, np.unwrap(knot_angles)))
