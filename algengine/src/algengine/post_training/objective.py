"""Our objective: what the policy earns over the whole vocabulary, held near the frozen planner.

    loss = - J + c_kl KL - c_ent H + c_imi L_imi + sum of distillation terms

B decisions, K plans. Each term is a mean over the decisions that it applies to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.heads.sub_score_heads import PUBLISHED_RANKING, Ranking
from algengine.heads.trajectory_scoring import IMITATION
from algengine.losses.distillation import distill_sub_scores
from algengine.losses.imitation import hard_imitation, masked_mean
from algengine.post_training.check import check_least, check_positive, check_share
from algengine.post_training.divergence import divergence, entropy
from algengine.post_training.expectation import BASELINES, advantage, exact_expectation, sampled_expectation
from algengine.post_training.importance import importance_weights
from algengine.post_training.outcome import Outcomes
from algengine.post_training.policy import log_policy, sub_scores_of
from algengine.structures.fail_mask import NORMAL
from simengine.errors import ConfigError
from simengine.rewards.columns import COLUMNS

ESTIMATORS = ("exact", "sampled")
_WEIGHTS = ("reward_weight", "kl_weight", "entropy_weight", "imitation_weight", "distillation_weight")
DIVERGENCES = ("policy_reference", "reference_policy", "none")


@dataclass(frozen=True)
class ExpectationObjective:
    """Weights and choices; see docs/post_training.md for what each does.

    Attributes:
        reward: column of the rewards to earn.
        reward_weight: factor of J.
        estimator: `exact` over the vocabulary, or `sampled` from the frozen planner, as when only what is tried can
            be scored.
        samples: plans drawn per decision by the sampled estimator.
        baseline: see `advantage`.
        normalize: see `advantage`.
        kl: `policy_reference` is KL(pi || pi_ref), `reference_policy` is KL(pi_ref || pi), or `none`.
        kl_weight: c_kl.
        entropy_weight: c_ent; positive rewards spread.
        imitation_weight: c_imi of the cross-entropy to the driven future, on normal decisions that it serves well.
        min_imitation_reward: reward of the driven plan from which on it is worth imitating.
        label_smoothing: of that cross-entropy.
        distillation_weight: factor of the sub-score losses, if the planner has such heads.
        max_importance: clamp of importance weights.
    """

    reward: str = "score"
    reward_weight: float = 1.0
    estimator: str = "exact"
    samples: int = 16
    baseline: str = "reference"
    normalize: bool = False
    kl: str = "policy_reference"
    kl_weight: float = 0.01
    entropy_weight: float = 0.0
    imitation_weight: float = 0.0
    min_imitation_reward: float = 0.8
    label_smoothing: float = 0.0
    distillation_weight: float = 1.0
    max_importance: float = 10.0

    def __post_init__(self) -> None:
        choices = {"reward": COLUMNS, "estimator": ESTIMATORS, "baseline": BASELINES, "kl": DIVERGENCES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(
                    f"objective.{name} is {getattr(self, name)!r}, expected one of {', '.join(known)}"
                )
        check_least("objective", self, ("samples",), 1)
        check_least("objective", self, _WEIGHTS, 0)
        check_positive("objective", self, ("max_importance",))
        check_share("objective", self, ("label_smoothing",))

    def __call__(
        self, outputs: Mapping[str, Tensor], outcomes: Outcomes, ranking: Ranking = PUBLISHED_RANKING
    ) -> dict[str, Tensor]:
        """Return losses (names begin with `loss_`; their sum is to be descended) and values for the log.

        Decisions with an unknown reward take part in the divergence and the entropy only: what is unknown is masked,
        it never counts as 0.

        Args:
            outputs: logits (B, K) by name, see `TrajectoryScoringHead.forward`.
            outcomes: of the same decisions.
            ranking: of the planner; the reference ranks by it too, so at the first update both are one policy.
        """
        if len(sub_scores_of(outputs)) != len(sub_scores_of(outcomes.reference)):
            raise ConfigError(
                "the planner has sub-score heads and the frozen one has none, or the other way round, expected two "
                "policies of one kind: leave model.head.sub_scores as it was, or use objective.type='published'"
            )
        log_pi, log_ref = (log_policy(one, ranking) for one in (outputs, outcomes.reference))
        known = outcomes.known(self.reward)
        reward = outcomes.rewards[self.reward].to(log_pi).masked_fill(~known[:, None], 0.0)
        gains = advantage(reward, log_pi, log_ref, self.baseline, self.normalize)
        losses = {
            "loss_reward": -self.reward_weight * masked_mean(self._earned(log_pi, log_ref, gains), known)
        }
        if self.kl_weight and self.kl != "none":
            pair = (log_pi, log_ref) if self.kl == "policy_reference" else (log_ref, log_pi)
            losses["loss_kl"] = self.kl_weight * divergence(*pair).mean()
        if self.entropy_weight:
            losses["loss_entropy"] = -self.entropy_weight * entropy(log_pi).mean()
        if self.imitation_weight:
            losses["loss_imitation"] = self.imitation_weight * self._imitation(
                outputs, outcomes, reward, known
            )
        losses |= self._distillation(outputs, outcomes)
        driven = driven_importance(log_pi, log_ref, outcomes.behaviour, self.max_importance)
        return losses | driven | self._log(log_pi, log_ref, reward, known)

    def _earned(self, log_pi: Tensor, log_ref: Tensor, gains: Tensor) -> Tensor:
        if self.estimator == "exact":
            return exact_expectation(log_pi, gains)
        drawn = torch.multinomial(log_ref.exp(), self.samples, replacement=True)
        return sampled_expectation(log_pi, log_ref, drawn, gains, self.max_importance)

    def _imitation(
        self, outputs: Mapping[str, Tensor], outcomes: Outcomes, reward: Tensor, known: Tensor
    ) -> Tensor:
        worth = reward.gather(1, outcomes.nearest[:, None])[:, 0] > self.min_imitation_reward
        counts = worth & known & outcomes.driven & (outcomes.fail_mask == NORMAL)
        each = hard_imitation(outputs[IMITATION], outcomes.nearest, self.label_smoothing)
        return masked_mean(each, counts)

    def _distillation(self, outputs: Mapping[str, Tensor], outcomes: Outcomes) -> dict[str, Tensor]:
        heads = sub_scores_of(outputs)
        if not heads or not self.distillation_weight:
            return {}
        known = torch.stack([outcomes.known(name) for name in heads]).all(0)
        targets = {name: outcomes.rewards[name].nan_to_num() for name in heads}
        losses = distill_sub_scores(heads, targets, known)
        return {name: self.distillation_weight * value for name, value in losses.items()}

    def _log(self, log_pi: Tensor, log_ref: Tensor, reward: Tensor, known: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            chosen = reward.gather(1, log_pi.argmax(-1, keepdim=True))[:, 0]
            before = reward.gather(1, log_ref.argmax(-1, keepdim=True))[:, 0]
            weights = importance_weights(log_pi, log_ref, self.max_importance)
            return {
                "reward": masked_mean((log_pi.exp() * reward).sum(-1), known),
                "reward_reference": masked_mean((log_ref.exp() * reward).sum(-1), known),
                "reward_chosen": masked_mean(chosen, known),
                "reward_chosen_reference": masked_mean(before, known),
                "entropy": entropy(log_pi).mean(),
                "kl": divergence(log_pi, log_ref).mean(),
                "importance": (log_ref.exp() * weights).sum(-1).mean(),
                "known": known.float().mean(),
            }


def driven_importance(
    log_policy: Tensor, log_behaviour: Tensor, behaviour: Tensor, most: float
) -> dict[str, Tensor]:
    """Return how likely the driven plans still are, as a mean ratio to when they were driven; NaN if none is known.

    The exact objective does not need it. It tells how old rollouts are: they show the states that the planner which
    drove them gets into, and when the ratio has fallen, it is time to drive again.

    Args:
        log_policy: (B, K).
        log_behaviour: (B, K) of the planner that drove, which is the frozen one.
        behaviour: (B,) driven plans, -1 where unknown.
        most: clamp of the ratio.
    """
    known, row = behaviour >= 0, behaviour.clamp(min=0)[:, None]
    ratios = importance_weights(*(x.gather(1, row)[:, 0] for x in (log_policy, log_behaviour)), most)
    return {"importance_driven": (ratios * known).sum() / known.sum()}
