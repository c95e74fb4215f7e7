"""From a planner's outputs to its policy: log-probabilities over the vocabulary.

B decisions, K plans.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from algengine.heads.sub_score_heads import PUBLISHED_RANKING, SUB_SCORES, Ranking, combine_scores
from algengine.heads.trajectory_scoring import IMITATION


def log_policy(outputs: Mapping[str, Tensor], ranking: Ranking = PUBLISHED_RANKING) -> Tensor:
    """Return log-probabilities (B, K) of the policy that ranks plans as the planner does at the wheel.

    Without sub-scores these are the imitation logits, normalised; with them the combination that HydraMDP ranks by.

    Args:
        outputs: logits (B, K) by name; all of `SUB_SCORES` or none.
        ranking: the planner's own, `head.ranking`; without sub-scores nothing depends on it.
    """
    sub_scores = sub_scores_of(outputs)
    scores = combine_scores(outputs[IMITATION], sub_scores, ranking) if sub_scores else outputs[IMITATION]
    return torch.log_softmax(scores, dim=-1)


def sub_scores_of(outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the sub-score logits among the outputs, none if the planner has no such heads."""
    return {name: outputs[name] for name in SUB_SCORES if name in outputs}
