"""From masks of many queries to map elements, of which those of one class share no cell.

n elements, S cells.
"""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.structures.map_truth import MAP_CLASSES

MASK_THRESHOLD = 0.5
MIN_SCORE = 0.1
MAX_OVERLAP = 0.4


def mask_confidence(masks: Tensor) -> Tensor:
    """Return the mean (n,) of masks (n, S) over the cells that they claim, at most 1; 0 for those that claim none."""
    claimed = masks > MASK_THRESHOLD
    total = (masks.float().clamp(max=1.0) * claimed).sum(-1)
    return total / claimed.sum(-1).clamp(min=1)


def fuse(scores: Tensor, labels: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return which elements stay (m,), best first, their scores (m,) and masks (m, S) bool.

    Scores count times the square of `mask_confidence`. Elements are placed best first; one of which more than
    `MAX_OVERLAP` is already taken is dropped, of any other what its own class has taken is cut off. Elements of two
    classes may share some cells, as a crossing and the contour that it crosses do.

    Args:
        scores: (n,) of the classes.
        labels: (n,) classes.
        masks: (n, S), not negative.
    """
    scores = scores * mask_confidence(masks).square()
    order = scores.argsort(descending=True)
    order = order[: int((scores >= MIN_SCORE).sum())]
    claimed = (masks[order] > MASK_THRESHOLD).cpu()
    taken = torch.zeros(len(MAP_CLASSES), masks.shape[-1], dtype=torch.bool)
    kept, placed = [], []
    for i, (label, mask) in enumerate(zip(labels[order].tolist(), claimed, strict=True)):
        if int((mask & taken.any(0)).sum()) > MAX_OVERLAP * int(mask.sum()):
            continue
        kept.append(i)
        placed.append(mask & ~taken[label])
        taken[label] |= mask
    order = order[kept]
    cut = torch.stack(placed) if placed else claimed[:0]
    return order, scores[order], cut.to(masks.device)
