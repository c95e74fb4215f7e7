"""What a policy earns on average, exactly or by sampling, as a function to ascend.

B decisions, K plans.
"""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.post_training.divergence import held
from algengine.post_training.importance import importance_weights

BASELINES = ("reference", "policy", "none")


def advantage(
    reward: Tensor,
    log_policy: Tensor,
    log_reference: Tensor,
    baseline: str = "reference",
    normalize: bool = False,
) -> Tensor:
    """Return A = r - b (B, K), without gradient.

    Args:
        reward: (B, K), all known.
        log_policy: (B, K).
        log_reference: (B, K) of the frozen planner.
        baseline: b is the mean reward under the `reference`, under the `policy`, or 0 with `none`.
        normalize: divide by the standard deviation of the reward under the reference, so that every decision weighs
            alike, however much is at stake in it. Where nothing is at stake, A is 0.
    """
    with torch.no_grad():
        weight = log_reference.exp()
        mean = (weight * reward).sum(-1, keepdim=True)
        if baseline == "none":
            gap = reward
        elif baseline == "policy":
            gap = reward - (log_policy.exp() * reward).sum(-1, keepdim=True)
        else:
            gap = reward - mean
        if normalize:
            spread = (weight * (reward - mean) ** 2).sum(-1, keepdim=True).sqrt()
            gap = torch.where(spread > 1e-4, gap / spread.clamp(min=1e-4), torch.zeros_like(gap))
    return gap


def exact_expectation(log_policy: Tensor, advantages: Tensor) -> Tensor:
    """Return J = sum_k pi_k A_k (B,).

    The whole vocabulary is scored, so nothing is sampled: the gradient sum_k pi_k A_k grad log pi_k has no variance
    and needs no importance weights, whoever drove. A constant baseline does not change it.
    """
    return (log_policy.exp() * advantages).sum(-1)


def sampled_expectation(
    log_policy: Tensor, log_behaviour: Tensor, actions: Tensor, advantages: Tensor, most: float = 10.0
) -> Tensor:
    """Return a surrogate (B,) whose gradient estimates that of J from plans drawn by a behaviour policy.

    mean over the draws of w A log pi with w = pi / mu (REINFORCE with importance weights; Williams 1992). Unbiased
    while no weight is clamped and mu is positive wherever pi is; the baseline in A lowers its variance.

    Args:
        log_policy: (B, K).
        log_behaviour: (B, K) of the policy mu that drew the plans.
        actions: (B, S) drawn plans.
        advantages: (B, K).
        most: upper clamp of w.
    """
    chosen = log_policy.gather(1, actions)
    weights = importance_weights(chosen, log_behaviour.gather(1, actions), most)
    return (weights * advantages.gather(1, actions) * held(chosen)).mean(-1)
