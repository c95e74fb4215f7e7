"""The PDM score: multiplicative sub-scores times the weighted mean of the others."""

from __future__ import annotations

import numpy as np

from simengine.metrics.pdm.parameters import PdmParameters


def pdm_score(
    multiplier: np.ndarray,
    *,
    progress: np.ndarray,
    ttc: np.ndarray,
    comfort: np.ndarray,
    direction: np.ndarray,
    parameters: PdmParameters,
) -> np.ndarray:
    """Return the score (P,); a missing (NaN) term makes it NaN unless its weight is 0.

    Args:
        multiplier: (P,) product of NC and DAC.
        progress: (P,) EP.
        ttc: (P,) TTC.
        comfort: (P,) C.
        direction: (P,) DDC.
        parameters: weights.
    """
    terms = (
        (parameters.weight_progress, progress),
        (parameters.weight_ttc, ttc),
        (parameters.weight_comfort, comfort),
        (parameters.weight_direction, direction),
    )
    total = sum(weight for weight, _ in terms)
    weighted = sum((weight * term for weight, term in terms if weight), np.zeros_like(multiplier))
    return multiplier * weighted / total
