"""Ego progress (EP): metres along the centre line, and their share of the best in the batch."""

from __future__ import annotations

import numpy as np
import shapely

from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.pdm.ego_areas import ego_centers
from simengine.metrics.pdm.parameters import PdmParameters


def raw_progress(states: np.ndarray, vehicle: VehicleParams, centerline: np.ndarray) -> np.ndarray:
    """Return the progress (P,) [m] of the box centre from the first to the last state, at least 0.

    Args:
        states: (P, S, 11) rear-axle states.
        vehicle: dimensions of the ego.
        centerline: (N, 2 or more columns) line in world; projections saturate at its ends.
    """
    centers = ego_centers(states[:, [0, -1]], vehicle)[..., :2]
    line = shapely.LineString(centerline[:, :2])
    along = shapely.line_locate_point(line, shapely.points(centers))
    return np.maximum(along[:, 1] - along[:, 0], 0.0)


def ego_progress(raw: np.ndarray, multiplier: np.ndarray, parameters: PdmParameters) -> np.ndarray:
    """Return EP (P,): masked progress over the best of the batch, or 1 where nobody gets far.

    Args:
        raw: (P,) progress [m].
        multiplier: (P,) product of the multiplicative sub-scores.
        parameters: thresholds.
    """
    masked = raw * multiplier
    best = masked.max()
    if best > parameters.progress_threshold:
        return masked / best
    return np.where(multiplier == 0.0, 0.0, 1.0)
