"""Driving direction compliance (DDC): 1, 0.5 or 0 by the metres off the route lanes within a second."""

from __future__ import annotations

import numpy as np

from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.parameters import PdmParameters


def driving_direction_compliance(
    centers: np.ndarray, areas: EgoAreas, dt: float, parameters: PdmParameters
) -> np.ndarray:
    """Return DDC (P,).

    Args:
        centers: (P, S, 3) box-centre poses.
        areas: area flags of the same states.
        dt: time between states [s].
        parameters: thresholds.
    """
    steps = np.zeros(centers.shape[:2])
    steps[:, 1:] = np.linalg.norm(np.diff(centers[..., :2], axis=1), axis=-1)
    steps[~areas.oncoming] = 0.0
    window = round(parameters.direction_window / dt) + 1
    padded = np.pad(steps, ((0, 0), (window - 1, 0)))
    wrong_way = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1).sum(axis=-1).max(axis=1)
    half = np.where(wrong_way < parameters.direction_violation, 0.5, 0.0)
    return np.where(wrong_way < parameters.direction_compliant, 1.0, half)
