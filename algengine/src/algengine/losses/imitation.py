"""Imitation over a vocabulary of plans: how far each plan is from what was driven, and cross-entropy on it.

B samples, K plans, T poses.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def trajectory_distance(vocabulary: Tensor, driven: Tensor, valid: Tensor, stride: int = 5) -> Tensor:
    """Return the distance (B, K) [m] between plans and driven futures, summed over every `stride`-th pose.

    Args:
        vocabulary: (K, T, 3) or (K, T, 2).
        driven: (B, T, 3) or (B, T, 2) in the same frame.
        valid: (B, T) poses that count.
        stride: with poses at 0.1 s, 5 compares at 0.5, 1.0, ... s.
    """
    picked = slice(stride - 1, None, stride)
    gap = vocabulary[None, :, picked, :2] - driven[:, None, picked, :2]
    return (gap.norm(dim=-1) * valid[:, None, picked]).sum(-1)


def hard_imitation(logits: Tensor, nearest: Tensor, label_smoothing: float = 0.2) -> Tensor:
    """Return the cross-entropy (B,) of picking the nearest plan.

    Args:
        logits: (B, K).
        nearest: (B,) plan of least distance, see `trajectory_distance`.
        label_smoothing: share of the target spread evenly over all plans.
    """
    return functional.cross_entropy(logits, nearest, reduction="none", label_smoothing=label_smoothing)


def soft_target(distance: Tensor, temperature: float = 1.0) -> Tensor:
    """Return target probabilities (B, K): softmax of minus distance over `temperature` [m]."""
    return torch.softmax(-distance / temperature, dim=-1)


def soft_imitation(logits: Tensor, distance: Tensor, temperature: float = 1.0) -> Tensor:
    """Return the cross-entropy (B,) towards plans weighted by their nearness.

    Args:
        logits: (B, K).
        distance: (B, K), see `trajectory_distance`.
        temperature: metres (summed over poses) after which a plan counts e times less.
    """
    return -(soft_target(distance, temperature) * torch.log_softmax(logits, dim=-1)).sum(-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of `values` (B,) where `mask` (B,) is true; 0 if nowhere."""
    mask = mask.to(values.dtype)
    return (values * mask).sum() / mask.sum().clamp(min=1.0)
