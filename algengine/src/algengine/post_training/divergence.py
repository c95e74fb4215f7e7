"""Entropy and divergences over the vocabulary, exact sums that stay finite for probabilities of zero.

K plans; p log p is 0 at p = 0, and so is its gradient with respect to logits.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = -80.0
"""Log-probabilities below this are held: exp(-80) is 2e-35, nothing in single precision next to 1."""


def entropy(log_policy: Tensor) -> Tensor:
    """Return - sum_k pi_k log pi_k (...) [nats] of log-probabilities (..., K)."""
    return -(log_policy.exp() * held(log_policy)).sum(-1)


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) = sum_k p_k (log p_k - log q_k) (...) [nats] of log-probabilities (..., K).

    With p the policy that learns and q the frozen reference it keeps to the plans that the reference knows (it is
    costly to be where q is not); the other way round it keeps alive all plans that the reference would take.
    """
    return (log_p.exp() * (held(log_p) - held(log_q))).sum(-1)


def held(log_policy: Tensor) -> Tensor:
    """Return log-probabilities with a floor, so that a probability of zero times its logarithm is zero, not NaN."""
    return torch.clamp(log_policy, min=_FLOOR)
