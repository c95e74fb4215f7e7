"""How a query that follows an object is made ready for the next frame: it hears the others and its own past.

B batch, K queries, C channels, S memories. Names of the layers are the published ones.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.heads.tracking.queries import Queries


class QueryInteraction(nn.Module):
    """Turns what the decoder made of the queries into the queries of the next frame.

    Args:
        dims: channels C.
        heads: attention heads.
    """

    def __init__(self, dims: int, heads: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dims, heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(dims, dims), nn.Linear(dims, dims)
        self.linear_pos1, self.linear_pos2 = nn.Linear(dims, dims), nn.Linear(dims, dims)
        self.linear_feat1, self.linear_feat2 = nn.Linear(dims, dims), nn.Linear(dims, dims)
        self.norm1, self.norm2 = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.norm_pos, self.norm_feat = nn.LayerNorm(dims), nn.LayerNorm(dims)

    def forward(self, queries: Queries, embedding: Tensor) -> Queries:
        """Return the queries with new content and position.

        Args:
            queries: at least one slot per sample; those not used stay without meaning.
            embedding: (B, K, C) output of decoder and memory.
        """
        control = queries.position + embedding
        # A sample that follows nothing still needs something to look at.
        nobody = ~queries.used & queries.used.any(-1, keepdim=True)
        heard, _ = self.self_attn(control, control, embedding, key_padding_mask=nobody, need_weights=False)
        target = self.norm1(embedding + heard)
        target = self.norm2(target + self.linear2(functional.relu(self.linear1(target))))
        position = self.linear_pos2(functional.relu(self.linear_pos1(target)))
        content = self.linear_feat2(functional.relu(self.linear_feat1(target)))
        return replace(
            queries,
            position=self.norm_pos(queries.position + position),
            content=self.norm_feat(queries.content + content),
        )


class MemoryBank(nn.Module):
    """Keeps the last embeddings of each query and lets the present one look at them.

    Args:
        dims: channels C.
        heads: attention heads.
        period: frames left out between two kept embeddings when not training.
    """

    def __init__(self, dims: int, heads: int, period: int = 3) -> None:
        super().__init__()
        self.period = period
        self.save_proj = nn.Linear(dims, dims)
        self.temporal_attn = nn.MultiheadAttention(dims, heads, batch_first=True)
        self.temporal_fc1, self.temporal_fc2 = nn.Linear(dims, dims), nn.Linear(dims, dims)
        self.temporal_norm1, self.temporal_norm2 = nn.LayerNorm(dims), nn.LayerNorm(dims)

    def recall(self, queries: Queries, embedding: Tensor) -> Tensor:
        """Return embeddings (B, K, C) that know their past; those without any stay as they are."""
        batch, count, dims = embedding.shape
        remembers = queries.recalled.any(-1)
        # Attention over nothing is undefined; what it gives is not used.
        hidden = ~(queries.recalled | ~remembers[..., None])
        memory = queries.memory.flatten(0, 1)
        past, _ = self.temporal_attn(
            embedding.reshape(batch * count, 1, dims),
            memory,
            memory,
            key_padding_mask=hidden.flatten(0, 1),
            need_weights=False,
        )
        mixed = self.temporal_norm1(embedding + past.reshape(embedding.shape))
        mixed = self.temporal_norm2(mixed + self.temporal_fc2(functional.relu(self.temporal_fc1(mixed))))
        return torch.where(remembers[..., None], mixed.to(embedding.dtype), embedding)

    def save(self, queries: Queries, embedding: Tensor) -> Queries:
        """Return the queries with `embedding` (B, K, C) kept; when not training, `period` frames are left out."""
        due = queries.used & ((queries.wait == 0) if not self.training else True)
        fresh = self.save_proj(embedding)[:, :, None].to(queries.memory.dtype)
        memory = torch.cat([queries.memory[:, :, 1:], fresh], dim=2)
        recalled = torch.cat([queries.recalled[:, :, 1:], torch.ones_like(queries.recalled[:, :, :1])], dim=2)
        return replace(
            queries,
            memory=torch.where(due[..., None, None], memory, queries.memory),
            recalled=torch.where(due[..., None], recalled, queries.recalled),
            wait=torch.where(due, self.period, (queries.wait - 1).clamp(min=0)),
        )
