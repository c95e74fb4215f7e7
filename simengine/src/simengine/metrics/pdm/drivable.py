"""Drivable area compliance (DAC): 1 if all four corners stay on drivable ground, else 0."""

from __future__ import annotations

import numpy as np

from simengine.metrics.pdm.ego_areas import EgoAreas


def drivable_area_compliance(areas: EgoAreas) -> tuple[np.ndarray, np.ndarray]:
    """Return DAC (P,) and the first frame off the drivable area (P,), infinity if there is none."""
    off = areas.non_drivable
    first = np.where(off.any(axis=1), off.argmax(axis=1).astype(float), np.inf)
    return np.where(off.any(axis=1), 0.0, 1.0), first
