"""Terms of the map loss: class, box and mask of map elements.

Q queries, K classes, n elements, S cells. Boxes are centre x, y and size along x, y, as fractions of the map.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ALPHA = 0.25
GAMMA = 2.0
DICE_EPS = 1e-6


def sigmoid_focal(logits: Tensor, target: Tensor) -> Tensor:
    """Return the focal loss (..., K) of independent classes [Lin et al. 2017].

    Args:
        logits: (..., K).
        target: (..., K) in {0, 1}.
    """
    logits, target = logits.float(), target.float()
    probability = logits.sigmoid()
    hit = probability * target + (1.0 - probability) * (1.0 - target)
    weight = ALPHA * target + (1.0 - ALPHA) * (1.0 - target)
    plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return weight * (1.0 - hit) ** GAMMA * plain


def box_corners(boxes: Tensor) -> Tensor:
    """Return boxes (..., 4) as low x, low y, high x, high y."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], dim=-1)


def generalized_iou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised intersection over union (...) in [-1, 1] of boxes (..., 4) [Rezatofighi et al. 2019]."""
    a, b = box_corners(first.float()), box_corners(second.float())
    overlap = _area(torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:]))
    hull = _area(torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:]))
    union = _area(a[..., :2], a[..., 2:]) + _area(b[..., :2], b[..., 2:]) - overlap
    tiny = torch.finfo(torch.float32).tiny
    return overlap / union.clamp(min=tiny) - (hull - union) / hull.clamp(min=tiny)


def box_distance(first: Tensor, second: Tensor) -> Tensor:
    """Return the sum of absolute differences (...) of boxes (..., 4)."""
    return (first.float() - second.float()).abs().sum(-1)


def dice_loss(masks: Tensor, target: Tensor, eps: float = DICE_EPS) -> Tensor:
    """Return 1 - 2 sum(p q) / (sum p^2 + sum q^2 + 2 eps) (...) of masks p, q (..., S).

    Args:
        masks: p, not negative; may exceed 1, which costs as well.
        target: q in {0, 1}.
        eps: what keeps two empty masks apart from a division by zero.
    """
    masks, target = masks.float(), target.float()
    both = (masks * target).sum(-1)
    return 1.0 - 2.0 * both / (masks.square().sum(-1) + target.square().sum(-1) + 2.0 * eps)


def _area(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0.0).prod(-1)
