"""Progress of many entries at once, each paired with the reference alone, as in the official evaluation.

NAVSIM scores a trajectory in a batch of two: PDM-Closed and the trajectory. Scoring 8,192 entries in one batch would
divide all of them by the best entry instead.
"""

from __future__ import annotations

import numpy as np

from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.progress import ego_progress


def paired_progress(raw: np.ndarray, multiplier: np.ndarray, parameters: PdmParameters) -> np.ndarray:
    """Return EP (K,) of rows 1 to K, that of row k as if the batch were rows 0 and k only.

    Args:
        raw: (K + 1,) progress [m], the reference first.
        multiplier: (K + 1,) product of the multiplicative sub-scores.
        parameters: threshold and rule.
    """
    if "reference" in parameters.progress_rule:
        return ego_progress(raw, multiplier, parameters)[1:]
    failed = multiplier[1:] == 0.0
    masked = raw * multiplier if parameters.progress_rule == "masked_best" else raw
    best = np.maximum(masked[0], masked[1:])
    far = best > parameters.progress_threshold
    share = np.divide(masked[1:], best, out=np.ones_like(best), where=far)
    if parameters.progress_rule == "masked_best":
        return np.where(far, share, np.where(failed, 0.0, 1.0))
    return share * multiplier[1:]
