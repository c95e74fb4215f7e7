"""Deformable encoder over the bird's-eye-view map, and decoder that finds boxes of map elements in it.

B batch, S cells, Q queries, C channels, D decoder layers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.heads.map_segmentation.cells import cell_centers, sine_code
from algengine.models.layers.deformable_attention import as_tokens
from algengine.models.layers.feed_forward import FeedForward
from algengine.models.layers.inverse_sigmoid import inverse_sigmoid
from algengine.models.layers.map_attention import MapAttention


class EncoderLayer(nn.Module):
    """Deformable self-attention of cells and feed-forward, each followed by a norm."""

    def __init__(
        self, dims: int, heads: int, points: int, hidden: int, dropout: float, deformable: str
    ) -> None:
        super().__init__()
        self.attention = MapAttention(dims, heads, points, dropout, deformable)
        self.norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, hidden, dropout)

    def forward(self, cells: Tensor, position: Tensor, centers: Tensor, size: tuple[int, int]) -> Tensor:
        """Return updated cells (B, S, C); `centers` (S, 2) are fractions of the map."""
        return self.feed_forward(self.norm(self.attention(cells, position, centers, cells, size)))


class DecoderLayer(nn.Module):
    """Attention among queries, deformable attention into the map and feed-forward, each followed by a norm."""

    def __init__(
        self, dims: int, heads: int, points: int, hidden: int, dropout: float, deformable: str
    ) -> None:
        super().__init__()
        self.self_attention = nn.MultiheadAttention(dims, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.self_norm = nn.LayerNorm(dims)
        self.attention = MapAttention(dims, heads, points, dropout, deformable)
        self.norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, hidden, dropout)

    def forward(
        self, query: Tensor, position: Tensor, reference: Tensor, memory: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Return updated queries (B, Q, C); arguments as `MapAttention.forward`'s."""
        asked = query + position
        answer = self.self_attention(asked, asked, query, need_weights=False)[0]
        query = self.self_norm(query + self.dropout(answer))
        return self.feed_forward(self.norm(self.attention(query, position, reference, memory, size)))


class SegDeformableTransformer(nn.Module):
    """Encoder and decoder with box refinement.

    Args:
        dims: channels C, a multiple of 4.
        heads: attention heads.
        points: reads per head.
        hidden: width of the feed-forwards.
        encoder_layers: number of them.
        decoder_layers: number of them, D.
        dropout: dropout after each attention and in the feed-forwards.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int,
        heads: int,
        points: int,
        hidden: int,
        encoder_layers: int,
        decoder_layers: int,
        dropout: float,
        deformable: str,
    ) -> None:
        super().__init__()
        sizes = (dims, heads, points, hidden, dropout, deformable)
        self.level_embeds = nn.Parameter(torch.randn(1, dims) * 0.1)
        self.reference_points = nn.Linear(dims, 2)
        self.encoder = nn.ModuleDict({"layers": _stack(EncoderLayer, encoder_layers, sizes)})
        self.decoder = nn.ModuleDict({"layers": _stack(DecoderLayer, decoder_layers, sizes)})
        nn.init.xavier_uniform_(self.reference_points.weight)
        nn.init.zeros_(self.reference_points.bias)

    def encode(self, bev: Tensor) -> Tensor:
        """Return cells (B, S, C) of a map (B, C, rows, cols)."""
        size = (bev.shape[-2], bev.shape[-1])
        centers = cell_centers(size, bev.device)
        position = self.position(size)
        cells = as_tokens([bev])
        for layer in self.encoder["layers"]:
            cells = layer(cells, position, centers, size)
        return cells

    def position(self, size: tuple[int, int]) -> Tensor:
        """Return the code (S, C) of the cells of a map of `size`."""
        return (
            sine_code(cell_centers(size, self.level_embeds.device), self.level_embeds.shape[1])
            + self.level_embeds
        )

    def decode(
        self, memory: Tensor, size: tuple[int, int], query_embedding: Tensor, refine: nn.ModuleList
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return queries (B, Q, C) and boxes (B, Q, 4) after each layer.

        Each layer refines the boxes of the one before; gradients stop in between.

        Args:
            memory: (B, S, C) encoded cells.
            size: rows and columns of the map.
            query_embedding: (Q, 2 C) position and content of the queries.
            refine: D networks from a query to the change of its box.
        """
        position, content = query_embedding.chunk(2, dim=-1)
        query = content.expand(len(memory), -1, -1)
        reference = self.reference_points(position).sigmoid().expand(len(memory), -1, -1)
        queries, boxes = [], []
        for layer, branch in zip(self.decoder["layers"], refine, strict=True):
            query = layer(query, position, reference, memory, size)
            change = branch(query).float()
            known = reference.shape[-1]
            start = inverse_sigmoid(reference.float())
            box = torch.cat([change[..., :known] + start, change[..., known:]], dim=-1).sigmoid()
            reference = box.detach()
            queries.append(query)
            boxes.append(box)
        return queries, boxes


def _stack(kind: type[nn.Module], count: int, sizes: tuple) -> nn.ModuleList:
    return nn.ModuleList(kind(*sizes) for _ in range(count))
