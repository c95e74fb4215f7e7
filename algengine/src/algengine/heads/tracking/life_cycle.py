"""Birth and death of identities when not training.

B batch, K queries.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.heads.tracking.queries import NOBODY


@dataclass(frozen=True)
class LifeCycle:
    """When a query gets an identity, and when it loses it.

    Attributes:
        birth: a query without identity gets one from this score on.
        keep: a query that scores less misses its object in this frame.
        tolerance: this many misses in a row end an identity.
    """

    birth: float = 0.4
    keep: float = 0.35
    tolerance: int = 5

    def update(
        self, owner: Tensor, misses: Tensor, scores: Tensor, allowed: Tensor, born: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return identities (B, K), misses (B, K) and identities given so far (B,) after a frame.

        Args:
            owner: (B, K) int64 identities before, `NOBODY` for none.
            misses: (B, K) int64.
            scores: (B, K) in [0, 1].
            allowed: (B, K) queries that may have an identity.
            born: (B,) int64 identities given before.
        """
        followed = owner != NOBODY
        birth = ~followed & allowed & (scores >= self.birth)
        number = born[:, None] + birth.cumsum(-1) - 1
        missed = followed & (scores < self.keep)
        # Between `keep` and `birth` an object is neither seen for sure nor missed: the count stands.
        misses = torch.where(scores >= self.birth, 0, misses + missed.long())
        died = missed & (misses >= self.tolerance)
        owner = torch.where(birth, number, torch.where(died, NOBODY, owner))
        return owner, misses, born + birth.sum(-1)
