"""Two-stage aggregation: a first plan is followed up from where it led to, weighted by how near that is.

The first stage of a pair is a logged frame and the one 0.5 s before. Follow-up scenes start 4 s later at places
around the logged drive, again in pairs. Source: NAVSIM v2.2, pseudo-closed-loop aggregation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.metrics.epdms.parameters import EPDMS, EpdmsParameters


@dataclass(frozen=True)
class TwoStagePair:
    """One first-stage pair with its K follow-up pairs; column 0 is the current frame, column 1 the one before.

    Attributes:
        score: (2,) scores of the first stage; both frames share the extended comfort of the pair.
        end_point: (2, 2) last pose of the submitted plans, x and y in world [m].
        follow_up_score: (K, 2) scores of the follow-up scenes; again each pair shares its extended comfort.
        follow_up_start: (K, 2, 2) their initial rear axle, x and y in world [m].
    """

    score: np.ndarray
    end_point: np.ndarray
    follow_up_score: np.ndarray
    follow_up_start: np.ndarray


def follow_up_weights(
    end_point: np.ndarray, starts: np.ndarray, parameters: EpdmsParameters = EPDMS
) -> np.ndarray:
    """Return the weights (K,) of follow-up scenes, a Gaussian of their distance, with sum 1.

    All weigh the same where none is near enough to weigh anything, or a place is unknown.

    Args:
        end_point: (2,) where the first plan ends [m].
        starts: (K, 2) where the scenes start [m].
        parameters: variance of the Gaussian.
    """
    squared = ((np.asarray(starts, dtype=np.float64) - end_point) ** 2).sum(axis=-1)
    weights = np.exp(-squared / (2.0 * parameters.follow_up_variance))
    total = weights.sum()
    if np.isnan(total) or total <= 1e-8:
        return np.full(len(weights), 1.0 / len(weights))
    return weights / total


def pair_score(pair: TwoStagePair, parameters: EpdmsParameters = EPDMS) -> float:
    """Return the score of a pair: per frame the product of both stages, averaged over its two frames."""
    groups = []
    for frame in range(2):
        weights = follow_up_weights(pair.end_point[frame], pair.follow_up_start[:, frame], parameters)
        groups.append(pair.score[frame] * (weights * pair.follow_up_score[:, frame]).sum())
    return float(0.5 * (groups[0] + groups[1]))


def two_stage_score(pairs: Sequence[TwoStagePair], parameters: EpdmsParameters = EPDMS) -> float:
    """Return the mean score of all pairs, NaN without any."""
    return float(np.mean([pair_score(pair, parameters) for pair in pairs])) if pairs else float("nan")
