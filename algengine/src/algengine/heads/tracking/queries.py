"""Queries of a frame: new ones, the ego's, and those carried on from the frame before.

B batch, K queries, C channels, S memories. New queries come first, then the ego's, then those carried on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

NOBODY = -1


@dataclass(frozen=True)
class Queries:
    """K queries of B samples.

    Attributes:
        content: (B, K, C).
        position: (B, K, C).
        reference: (B, K, 3), see `BoxCode`.
        velocity: (B, K, 2) over the ground in the frame of the reference [m/s].
        owner: (B, K) int64 whom a query follows: a row of objects in training, else an identity; `NOBODY` for none.
        used: (B, K) bool, false where there is no query.
        misses: (B, K) int64 frames since the object was last seen.
        memory: (B, K, S, C) past embeddings, oldest first.
        recalled: (B, K, S) bool, which of these exist.
        wait: (B, K) int64 frames until the next memory is kept.
    """

    content: Tensor
    position: Tensor
    reference: Tensor
    velocity: Tensor
    owner: Tensor
    used: Tensor
    misses: Tensor
    memory: Tensor
    recalled: Tensor
    wait: Tensor

    def take(self, index: Tensor, used: Tensor) -> Queries:
        """Return the queries at `index` (B, N), of which those `used` (B, N) count."""
        rows = torch.arange(len(index), device=index.device)[:, None]
        taken = {f.name: getattr(self, f.name)[rows, index] for f in fields(self)}
        return Queries(**taken | {"used": used, "owner": torch.where(used, taken["owner"], NOBODY)})

    def join(self, other: Queries) -> Queries:
        """Return these queries and then those of `other`."""
        return Queries(
            *(torch.cat([getattr(self, f.name), getattr(other, f.name)], dim=1) for f in fields(self))
        )


class NewQueries(nn.Module):
    """Learned queries with which every frame starts: N for objects that are not followed yet, and the ego's.

    Args:
        dims: channels C.
        count: queries for objects N.
        memories: memories S of a query.
    """

    def __init__(self, dims: int, count: int, memories: int) -> None:
        super().__init__()
        self.count, self.memories = count, memories
        self.embedding = nn.Embedding(count + 1, 2 * dims)
        self.reference = nn.Linear(dims, 3)
        nn.init.xavier_uniform_(self.reference.weight)
        nn.init.zeros_(self.reference.bias)

    def forward(self, batch: int) -> Queries:
        """Return the queries (batch, N + 1) of a frame."""
        position, content = self.embedding.weight.chunk(2, dim=-1)
        # Under autocast places keep their precision.
        with torch.autocast(position.device.type, enabled=False):
            reference = self.reference(position).sigmoid()
        blank = position.new_zeros(batch, self.count + 1)
        shape = (batch, self.count + 1, self.memories)
        return Queries(
            content=content.expand(batch, -1, -1),
            position=position.expand(batch, -1, -1),
            reference=reference.expand(batch, -1, -1),
            velocity=position.new_zeros(batch, self.count + 1, 2),
            owner=torch.full_like(blank, NOBODY, dtype=torch.int64),
            used=torch.ones_like(blank, dtype=torch.bool),
            misses=blank.long(),
            memory=position.new_zeros(*shape, position.shape[-1]),
            recalled=position.new_zeros(shape, dtype=torch.bool),
            wait=blank.long(),
        )
