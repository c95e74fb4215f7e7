"""Importance weights: how much likelier a plan is under the policy that learns than under the one that acted.

B decisions, K plans.
"""

from __future__ import annotations

from torch import Tensor


def importance_weights(
    log_policy: Tensor, log_behaviour: Tensor, most: float = 10.0, least: float = 0.0
) -> Tensor:
    """Return pi / mu (same shape), clamped, without gradient; 1 wherever the policy has not changed.

    Both must be the same kind of policy. The published ratio compares a policy shaped by sub-scores with one of
    imitation alone and is not 1 before the first update (reference: algengine.md 10.1, item 10).

    Args:
        log_policy: log pi.
        log_behaviour: log mu of the policy that chose the plans.
        most: upper clamp; bounds the variance at the price of a bias towards the behaviour policy.
        least: lower clamp.
    """
    # Differences of equal numbers are exactly 0, also for plans of probability 0 (-inf - -inf is not).
    same = log_policy == log_behaviour
    gap = (log_policy - log_behaviour).masked_fill(same, 0.0)
    return gap.detach().exp().clamp(min=least, max=most)
