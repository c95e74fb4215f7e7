"""Driving direction compliance (DDC) of the extended score, in which crossings are left out."""

from __future__ import annotations

import numpy as np

from simengine.metrics.pdm.direction import direction_score, wrong_way_metres
from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.parameters import PdmParameters


def direction_compliance_off_crossings(
    ego: EgoGeometry, areas: EgoAreas, dt: float, parameters: PdmParameters, threads: int | None = None
) -> np.ndarray:
    """Return DDC (P,): metres driven with the centre inside an intersection are never the wrong way.

    Args:
        ego: geometry of P sequences of S states.
        areas: area flags of the same states.
        dt: time between states [s].
        parameters: window, rule and limits.
        threads: see `for_rows`.
    """
    wrong = areas.oncoming & ~areas.center_in_intersection
    return direction_score(wrong_way_metres(ego, wrong, dt, parameters, threads), parameters)
