"""The objective of the published post-training, term by term (reference: algengine.md 2.1 to 2.6).

Its known defects are reproduced: policy gradient over all plans without advantage and without the policy's own
weight, a reference that is another kind of policy, probabilities clamped at 1e-6. B decisions, K plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from algengine.heads.sub_score_heads import PUBLISHED_RANKING, SUB_SCORES, Ranking
from algengine.heads.trajectory_scoring import IMITATION
from algengine.losses.distillation import SUB_SCORE_WEIGHTS
from algengine.losses.imitation import hard_imitation, masked_mean
from algengine.post_training.check import check_least, check_share
from algengine.post_training.outcome import Outcomes
from algengine.post_training.policy import sub_scores_of
from algengine.structures.fail_mask import SYNTHETIC

_LEAST = 1e-6
_LEAST_IMPORTANCE, _MOST_IMPORTANCE = 0.01, 10.0
_MARGIN = 0.2


@dataclass(frozen=True)
class PublishedObjective:
    """Weights and switches with the values of the shipped configs.

    Attributes:
        rl: whether the terms of the policy count (RLFT), or imitation and distillation only (ILFT).
        importance_sampling: whether supervised terms are weighted, see `imitation_weights`.
        orig_il: the reference policy is imitation alone.
        hard_case_no_imi: real failures are not imitated either; synthetic decisions never are.
        pg_weight: of the policy gradient.
        entropy_weight: of the negative entropy.
        rank_weight: of the ranking term.
        label_smoothing: of the imitation.
        min_imitation_score: score of the nearest plan above which a decision is imitated.
    """

    rl: bool = True
    importance_sampling: bool = True
    orig_il: bool = True
    hard_case_no_imi: bool = False
    pg_weight: float = 0.01
    entropy_weight: float = 1.0
    rank_weight: float = 0.0
    label_smoothing: float = 0.2
    min_imitation_score: float = 0.8

    def __post_init__(self) -> None:
        check_least("objective", self, ("pg_weight", "entropy_weight", "rank_weight"), 0)
        check_share("objective", self, ("label_smoothing",))

    def __call__(
        self, outputs: Mapping[str, Tensor], outcomes: Outcomes, ranking: Ranking = PUBLISHED_RANKING
    ) -> dict[str, Tensor]:
        """Return losses (names begin with `loss_`) and values for the log.

        Means run over decisions whose rewards are known. The original knows none of the unknown, it counts them as 0.

        Args:
            outputs: logits (B, K) of imitation and, for RL, of the sub-scores.
            outcomes: of the same decisions.
            ranking: of the planner, which shapes both policies.
        """
        known = torch.stack([outcomes.known(name) for name in (*SUB_SCORES, "score")]).all(0)
        # A weight of zero does not silence NaN.
        rewards = {name: value.masked_fill(~known[:, None], 0.0) for name, value in outcomes.rewards.items()}
        outcomes = replace(outcomes, rewards=rewards)
        terms = {"loss_imitation": self._imitation(outputs, outcomes)}
        terms |= self._distillation(outputs, outcomes)
        if self.rl:
            terms |= self._policy_terms(outputs, outcomes, ranking)
        losses = {name: torch.nan_to_num(masked_mean(each, known)) for name, each in terms.items()}
        return losses | {"known": known.float().mean()}

    def _imitation(self, outputs: Mapping[str, Tensor], outcomes: Outcomes) -> Tensor:
        """Return the term of each decision (B,), as all terms are."""
        nearest = outcomes.nearest[:, None]
        mask = outcomes.rewards["score"].gather(1, nearest)[:, 0] > self.min_imitation_score
        mask = mask & outcomes.driven & (outcomes.fail_mask != SYNTHETIC)
        if self.hard_case_no_imi:
            mask = mask & (outcomes.fail_mask == 0)
        weight = torch.ones_like(outputs[IMITATION])
        if self.importance_sampling:
            weight = imitation_weights(outputs[IMITATION], outcomes.reference[IMITATION], outcomes.fail_mask)
        each = hard_imitation(outputs[IMITATION], outcomes.nearest, self.label_smoothing)
        return weight.gather(1, nearest)[:, 0] * mask * each

    def _distillation(self, outputs: Mapping[str, Tensor], outcomes: Outcomes) -> dict[str, Tensor]:
        terms = {}
        for name, logits in sub_scores_of(outputs).items():
            weight = None
            if self.importance_sampling and not self.orig_il:
                ours, theirs = (
                    x.sigmoid().clamp(min=_LEAST) for x in (logits.detach(), outcomes.reference[name])
                )
                weight = _bounded(ours / theirs, outcomes.fail_mask)
            each = functional.binary_cross_entropy(
                logits.sigmoid(), outcomes.rewards[name].to(logits), weight=weight, reduction="none"
            )
            terms[f"loss_{name}"] = SUB_SCORE_WEIGHTS[name] * each.mean(-1)
        return terms

    def _policy_terms(
        self, outputs: Mapping[str, Tensor], outcomes: Outcomes, ranking: Ranking
    ) -> dict[str, Tensor]:
        log_pi = shaped_log_policy(outputs, ranking)
        if self.orig_il:
            log_ref = torch.log_softmax(outcomes.reference[IMITATION], dim=-1)
        else:
            log_ref = shaped_log_policy(outcomes.reference, ranking)
        pi = log_pi.exp().clamp(min=_LEAST)
        ratio = (pi / log_ref.exp().clamp(min=_LEAST)).detach()
        ratio = torch.where(outcomes.fail_mask[:, None] != 0, 1.0, ratio).clamp(max=_MOST_IMPORTANCE)
        score = outcomes.rewards["score"].to(log_pi)
        perfect = score == 1
        margin = (pi * ~perfect).amax(-1) + _MARGIN - (pi * perfect).amax(-1)
        return {
            "loss_pg": -self.pg_weight * (ratio * score * log_pi).mean(-1),
            "loss_entropy": self.entropy_weight * (pi * log_pi).sum(-1),
            "loss_rank": self.rank_weight * margin.clamp(min=0.0),
        }


def imitation_weights(logits: Tensor, reference: Tensor, fail_mask: Tensor) -> Tensor:
    """Return the published weights (B, K) of imitation: policy over reference, 1 for failures, in [0.01, 10]."""
    return _bounded(logits.detach().softmax(-1) / reference.softmax(-1), fail_mask)


def shaped_log_policy(outputs: Mapping[str, Tensor], ranking: Ranking = PUBLISHED_RANKING) -> Tensor:
    """Return log-probabilities (B, K) with the published clamps (reference: algengine.md 2.5)."""

    def logged(name: str) -> Tensor:
        return outputs[name].sigmoid().clamp(min=_LEAST).log()

    average = (
        5.0 * outputs["time_to_collision_within_bound"].sigmoid()
        + 2.0 * outputs["comfort"].sigmoid()
        + 5.0 * outputs["ego_progress"].sigmoid()
    )
    shaped = (
        ranking.imitation * torch.log_softmax(outputs[IMITATION], dim=-1)
        + ranking.multipliers * logged("no_at_fault_collisions")
        + ranking.multipliers * logged("drivable_area_compliance")
        + ranking.average * average.clamp(min=_LEAST).log()
    )
    return shaped - shaped.logsumexp(-1, keepdim=True)


def _bounded(ratio: Tensor, fail_mask: Tensor) -> Tensor:
    return torch.where(fail_mask[:, None] != 0, 1.0, ratio).clamp(_LEAST_IMPORTANCE, _MOST_IMPORTANCE)
