"""Predictions of the PDM sub-scores of every plan, and how they rank plans together with imitation (HydraMDP).

B batch, K plans, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SUB_SCORES = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "time_to_collision_within_bound",
    "comfort",
    "ego_progress",
)
"""Sub-scores that HydraMDP predicts, in NAVSIM's names."""

_LEAST = 1e-6


@dataclass(frozen=True)
class Ranking:
    """How much each term counts when plans are ranked, see `combine_scores`; the defaults are the published weights.

    Attributes:
        imitation: of the log-probability of being driven.
        multipliers: of the log-probabilities of no collision and of staying on the road.
        average: of the log of the weighted mean of the other sub-scores.
    """

    imitation: float = 0.05
    multipliers: float = 0.5
    average: float = 8.0


PUBLISHED_RANKING = Ranking()


class SubScoreHeads(nn.ModuleDict):
    """One small network per sub-score.

    Args:
        dims: channels of the plan queries.
        hidden: width of the hidden layer.
        names: sub-scores to predict.
    """

    def __init__(self, dims: int, hidden: int, names: Sequence[str]) -> None:
        super().__init__(
            {
                name: nn.Sequential(nn.Linear(dims, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, 1))
                for name in names
            }
        )

    def forward(self, query: Tensor) -> dict[str, Tensor]:
        """Return logits (B, K) of each sub-score for queries (B, K, C)."""
        return {name: layers(query)[..., 0] for name, layers in self.items()}


def combine_scores(
    imitation: Tensor, sub_scores: dict[str, Tensor], ranking: Ranking = PUBLISHED_RANKING
) -> Tensor:
    """Return the scores (B, K) that rank plans, higher is better.

    `0.05 log p + 0.5 log NC + 0.5 log DAC + 8 log(5 TTC + 2 C + 5 EP)`, as published or with other weights, in a
    form that stays finite where the published one takes the log of zero.

    Args:
        imitation: logits (B, K).
        sub_scores: logits (B, K) of each of `SUB_SCORES`; empty ranks by imitation alone.
        ranking: weights of the terms.
    """
    likelihood = torch.log_softmax(imitation.float(), dim=-1)
    if not sub_scores:
        return likelihood
    logits = {name: value.float() for name, value in sub_scores.items()}
    multipliers = functional.logsigmoid(logits["no_at_fault_collisions"]) + functional.logsigmoid(
        logits["drivable_area_compliance"]
    )
    average = (
        5.0 * logits["time_to_collision_within_bound"].sigmoid()
        + 2.0 * logits["comfort"].sigmoid()
        + 5.0 * logits["ego_progress"].sigmoid()
    )
    return (
        ranking.imitation * likelihood
        + ranking.multipliers * multipliers
        + ranking.average * average.clamp(min=_LEAST).log()
    )
