"""Masks of queries from how strongly they attend to each cell.

B batch, Q queries, M heads, S cells, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MaskAttention(nn.Module):
    """Compares queries with cells and makes a mask of the attention logits of all heads.

    With `reads`, queries are updated with what they attend to; the last comparison of a decoder does without.
    """

    def __init__(self, dims: int, heads: int, reads: bool) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dims, dims)
        self.k = nn.Linear(dims, dims)
        self.linear_l1 = nn.Sequential(nn.Linear(heads, heads), nn.ReLU())
        self.linear = nn.Sequential(nn.Linear(heads, 1), nn.ReLU())
        if reads:
            self.v = nn.Linear(dims, dims)
            self.proj = nn.Linear(dims, dims)
        self._start_open()

    def _start_open(self) -> None:
        """Start with both rectifiers open: a mask that is zero everywhere learns nothing."""
        with torch.no_grad():
            self.linear_l1[0].weight.copy_(torch.eye(self.heads))
            self.linear_l1[0].bias.fill_(1.0)
            self.linear[0].weight.fill_(0.5 / self.heads)
            self.linear[0].bias.zero_()

    def logits(self, query: Tensor, key: Tensor) -> Tensor:
        """Return attention logits (B, M, Q, S) of queries (B, Q, C) for cells (B, S, C)."""
        q, k = self._split(self.q(query)), self._split(self.k(key))
        return q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5

    def mask(self, logits: Tensor) -> Tensor:
        """Return masks (B, Q, S), not negative, of logits (B, M, Q, S)."""
        return self.linear(self.linear_l1(logits.permute(0, 2, 3, 1))).squeeze(-1)

    def read(self, logits: Tensor, value: Tensor) -> Tensor:
        """Return what queries attend to (B, Q, C) among cells (B, S, C)."""
        read = logits.softmax(-1) @ self._split(self.v(value))
        return self.proj(read.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class SelfAttention(nn.Module):
    """Attention among the queries (B, Q, C) of a decoder."""

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, query: Tensor) -> Tensor:
        """Return what each query reads of the others (B, Q, C)."""
        q, k, v = self.qkv(query).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MaskBlock(nn.Module):
    """Attention among queries if wanted, attention to cells, feed-forward; each followed by a norm."""

    def __init__(self, dims: int, heads: int, hidden: int, self_attention: bool) -> None:
        super().__init__()
        self.self_attention = SelfAttention(dims, heads) if self_attention else None
        self.norm3 = nn.LayerNorm(dims) if self_attention else None
        self.attn = MaskAttention(dims, heads, reads=True)
        self.head_norm1 = nn.LayerNorm(dims)
        self.mlp = nn.Sequential(nn.Linear(dims, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, dims))
        self.head_norm2 = nn.LayerNorm(dims)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return updated queries (B, Q, C) and their masks (B, Q, S).

        Args:
            query: (B, Q, C).
            key: (B, S, C) cells with position.
            value: (B, S, C) cells.
        """
        if self.self_attention is not None:
            query = self.norm3(query + self.self_attention(query))
        logits = self.attn.logits(query, key)
        query = self.head_norm1(query + self.attn.read(logits, value))
        return self.head_norm2(query + self.mlp(query)), self.attn.mask(logits)


class SegMaskHead(nn.Module):
    """A stack of blocks and a last comparison.

    Args:
        dims: channels C.
        heads: attention heads M.
        hidden: width of the feed-forwards.
        num_blocks: number of blocks.
        self_attention: whether queries also attend to each other.
    """

    def __init__(self, dims: int, heads: int, hidden: int, num_blocks: int, self_attention: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(MaskBlock(dims, heads, hidden, self_attention) for _ in range(num_blocks))
        self.attnen = MaskAttention(dims, heads, reads=False)

    def forward(self, query: Tensor, memory: Tensor, position: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return masks (B, Q, S) of each block and of the end, and queries (B, Q, C) after each block.

        Args:
            query: (B, Q, C).
            memory: (B, S, C) encoded cells.
            position: (S, C) their code.
        """
        key = memory + position
        masks, queries = [], []
        for block in self.blocks:
            query, mask = block(query, key, memory)
            masks.append(mask)
            queries.append(query)
        masks.append(self.attnen.mask(self.attnen.logits(query, key)))
        return masks, queries
