"""The extended score: four multiplicative sub-scores times the weighted mean of five others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.metrics.epdms.parameters import EPDMS, EpdmsParameters

EXTENDED_COMFORT = "two_frame_extended_comfort"
MULTIPLIERS = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "driving_direction_compliance",
    "traffic_light_compliance",
)
SUB_SCORES = (
    *MULTIPLIERS,
    "ego_progress",
    "time_to_collision_within_bound",
    "lane_keeping",
    "history_comfort",
    EXTENDED_COMFORT,
)
"""Columns in NAVSIM v2's order and names."""


def multiplier_of(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the product (P,) of the multiplicative sub-scores."""
    product = np.ones(())
    for name in MULTIPLIERS:
        product = product * columns[name]
    return product


def epdms_score(columns: Mapping[str, np.ndarray], parameters: EpdmsParameters = EPDMS) -> np.ndarray:
    """Return the score (P,).

    Where extended comfort is unknown (NaN, or no such column) its weight drops out: the weights sum to 14
    instead of 16. Any other unknown sub-score makes the score unknown.

    Args:
        columns: (P,) each, by the names of `SUB_SCORES`.
        parameters: weights.
    """
    weights = {
        "ego_progress": parameters.pdm.weight_progress,
        "time_to_collision_within_bound": parameters.pdm.weight_ttc,
        "lane_keeping": parameters.weight_lane_keeping,
        "history_comfort": parameters.weight_history_comfort,
    }
    multiplier = multiplier_of(columns)
    weighted = sum((weight * columns[name] for name, weight in weights.items()), np.zeros_like(multiplier))
    extended = columns.get(EXTENDED_COMFORT, np.full_like(multiplier, np.nan))
    known = ~np.isnan(extended)
    weighted = weighted + np.where(known, parameters.weight_extended_comfort * extended, 0.0)
    total = sum(weights.values()) + np.where(known, parameters.weight_extended_comfort, 0.0)
    return multiplier * (weighted / total)
