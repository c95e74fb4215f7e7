"""Object queries look at each other and at the bird's-eye-view map; their boxes are refined layer by layer.

B batch, K queries, C channels, L layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from algengine.heads.tracking.box_code import CODE_SIZE, BoxCode
from algengine.heads.tracking.branches import box_branch, class_branch
from algengine.heads.tracking.queries import Queries
from algengine.models.bev.grid import BEVGrid
from algengine.models.layers.deformable_attention import as_tokens
from algengine.models.layers.feed_forward import FeedForward
from algengine.models.layers.map_attention import MapAttention
from algengine.structures.objects import OBJECT_CLASSES, TRACK_STEPS


@dataclass(frozen=True)
class Decoded:
    """What each decoder layer says about each query.

    Attributes:
        logits: (L, B, K, classes).
        codes: (L, B, K, 10), see `BoxCode`.
        tracks: (L, B, K, TRACK_STEPS, 2) where the object was and will be, from where it is [m].
        reference: (B, K, 3) after the last layer, without gradient.
        embedding: (B, K, C) after the last layer.
    """

    logits: Tensor
    codes: Tensor
    tracks: Tensor
    reference: Tensor
    embedding: Tensor


class ObjectDecoderLayer(nn.Module):
    """Attention among queries, attention into the map, feed-forward, each followed by a norm."""

    def __init__(self, dims: int, heads: int, points: int, dropout: float, deformable: str) -> None:
        super().__init__()
        self.among = nn.MultiheadAttention(dims, heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.among_norm = nn.LayerNorm(dims)
        self.map = MapAttention(dims, heads, points, dropout, deformable)
        self.map_norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, 2 * dims, dropout)

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        empty: Tensor,
        place: Tensor,
        cells: Tensor,
        size: tuple[int, int],
    ) -> Tensor:
        """Return updated queries (B, K, C); nobody looks at `empty` (B, K) ones. The rest as in `MapAttention`."""
        control = query + position
        seen, _ = self.among(control, control, query, key_padding_mask=empty, need_weights=False)
        query = self.among_norm(query + self.dropout(seen))
        return self.feed_forward(self.map_norm(self.map(query, position, place, cells, size)))


class ObjectDecoder(nn.Module):
    """Decoder layers, each with a branch for classes, boxes and tracks of its own.

    Args:
        dims: channels C.
        heads: attention heads.
        points: reads per head and layer.
        num_layers: layers L.
        grid: layout of the map.
        code: layout of boxes.
        dropout: dropout in all layers.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int,
        heads: int,
        points: int,
        num_layers: int,
        grid: BEVGrid,
        code: BoxCode,
        dropout: float = 0.1,
        deformable: str = "auto",
    ) -> None:
        super().__init__()
        self.grid, self.code = grid, code
        self.layers = nn.ModuleList(
            ObjectDecoderLayer(dims, heads, points, dropout, deformable) for _ in range(num_layers)
        )
        self.classes = nn.ModuleList(class_branch(dims, len(OBJECT_CLASSES)) for _ in self.layers)
        self.boxes = nn.ModuleList(box_branch(dims, CODE_SIZE) for _ in self.layers)
        self.tracks = nn.ModuleList(box_branch(dims, 2 * TRACK_STEPS) for _ in self.layers)

    def forward(self, queries: Queries, bev: Tensor) -> Decoded:
        """Return what all layers say about the queries on a map (B, C, rows, cols)."""
        content, reference, empty = queries.content, queries.reference, ~queries.used
        cells, size = as_tokens([bev]), (self.grid.rows, self.grid.cols)
        logits, codes, tracks = [], [], []
        for layer, classes, boxes, motion in zip(
            self.layers, self.classes, self.boxes, self.tracks, strict=True
        ):
            place = self.grid.normalize(self.code.place(reference)[..., :2])
            content = layer(content, queries.position, empty, place, cells, size)
            code, moved = self.code.refine(boxes(content).float(), reference)
            logits.append(classes(content).float())
            codes.append(code)
            tracks.append(motion(content).float().unflatten(-1, (TRACK_STEPS, 2)))
            reference = moved.detach()
        return Decoded(torch.stack(logits), torch.stack(codes), torch.stack(tracks), reference, content)
