"""Ego progress (EP) of the extended score: the share of the best, also of those who failed."""

from __future__ import annotations

import numpy as np

from simengine.metrics.epdms.parameters import EpdmsParameters
from simengine.metrics.pdm.progress import ego_progress


def extended_progress(
    raw: np.ndarray, multiplier: np.ndarray, parameters: EpdmsParameters, *, pairwise: bool = False
) -> np.ndarray:
    """Return EP (P,) in [0, 1].

    NAVSIM v2.2 divides by the best masked progress and neither masks what it divides nor what stays below the
    threshold: failed proposals keep their progress, which the product of the score takes away.

    Args:
        raw: (P,) progress [m]; row 0 is the reference.
        multiplier: (P,) product of the multiplicative sub-scores.
        parameters: threshold and rule.
        pairwise: every row is compared with row 0 alone, as in the official two-row evaluation, instead of with
            the best of the batch.
    """
    if not parameters.clipped_progress:
        return ego_progress(raw, multiplier, parameters.pdm)
    masked = raw * multiplier
    best = np.maximum(masked[0], masked) if pairwise else np.full_like(masked, masked.max())
    far = best > parameters.pdm.progress_threshold
    return np.clip(np.divide(raw, best, out=np.ones_like(raw), where=far), 0.0, 1.0)
