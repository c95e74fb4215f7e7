"""Which queries are carried on to the next frame.

B batch, K queries, N of them carried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.heads.tracking.queries import Queries

_SURE = 2.0
"""Rank of a query that is to be carried, above all scores."""


@dataclass(frozen=True)
class TrainingNoise:
    """What is done to the queries carried on in training, so that following does not become too easy.

    Attributes:
        overlap: a query is carried if its box overlaps its object at least this much, see `flat_overlap`.
        drop: probability that it is not carried all the same.
        false_positives: for this share of those carried, a query without object is carried too, the best scored first.
    """

    overlap: float = 0.5
    drop: float = 0.1
    false_positives: float = 0.3

    def rank(self, assigned: Tensor, overlap: Tensor, scores: Tensor, allowed: Tensor) -> Tensor:
        """Return a rank (B, K) of each query, positive for those to carry.

        Args:
            assigned: (B, K) object of each query, negative for none.
            overlap: (B, K) with it.
            scores: (B, K) in [0, 1].
            allowed: (B, K) bool, queries that may be carried.
        """
        kept = allowed & (assigned >= 0) & (overlap >= self.overlap)
        kept &= torch.rand(kept.shape, device=kept.device) >= self.drop
        companions = kept & (torch.rand(kept.shape, device=kept.device) < self.false_positives)
        idle = torch.where(allowed & (assigned < 0), scores, -1.0)
        place = idle.argsort(-1, descending=True).argsort(-1)  # 0 for the best
        wrong = (place < companions.sum(-1, keepdim=True)) & (idle > 0)
        return torch.where(kept, _SURE, torch.where(wrong, idle, 0.0))


def carried(queries: Queries, rank: Tensor, capacity: int) -> tuple[Queries, Tensor]:
    """Return the N queries of highest rank (B, K) and where they were (B, N); only those of positive rank are used."""
    best, index = rank.topk(min(capacity, rank.shape[1]), dim=-1)
    return queries.take(index, best > 0), index


def flat_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union (...) of boxes (..., 9) seen from above, turned to the nearest axis.

    This is the overlap that MMDetection3D calls nearest: exact for boxes along the axes.
    """
    (low_a, high_a), (low_b, high_b) = _extent(a), _extent(b)
    both = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(min=0).prod(-1)
    union = (high_a - low_a).prod(-1) + (high_b - low_b).prod(-1) - both
    return both / union.clamp(min=1e-6)


def _extent(boxes: Tensor) -> tuple[Tensor, Tensor]:
    across = boxes[..., 6].sin().abs() > math.sqrt(0.5)
    size = torch.where(across[..., None], boxes[..., 3:5].flip(-1), boxes[..., 3:5])
    return boxes[..., :2] - size / 2, boxes[..., :2] + size / 2
