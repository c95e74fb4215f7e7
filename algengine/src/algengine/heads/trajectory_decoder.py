"""Plan queries read the bird's-eye-view map along their own path.

B batch, K plans, S steps along a plan, M heads, P points, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.layers.deformable import init_directional_offsets
from algengine.models.layers.deformable_attention import attend, project, steer
from algengine.models.layers.feed_forward import FeedForward


class PathAttention(nn.Module):
    """Deformable attention at S poses of each plan; offsets are in metres in the frame of each pose.

    What is read at different steps stays apart until the output layer, so the plan knows where along it something is.

    Args:
        dims: channels C.
        heads: attention heads M.
        steps: poses S along a plan.
        points: reads per head and pose.
        grid: layout of the map.
        dropout: dropout of what is added to the queries.
        compat: as published, all steps read around the last pose, offsets are cells along the axes of the map.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int,
        heads: int,
        steps: int,
        points: int,
        grid: BEVGrid,
        dropout: float = 0.0,
        compat: bool = False,
        deformable: str = "auto",
    ) -> None:
        super().__init__()
        self.heads, self.steps, self.points, self.grid = heads, steps, points, grid
        self.compat, self.deformable = compat, deformable
        self.offsets = nn.Linear(dims, heads * steps * points * 2)
        self.weights = nn.Linear(dims, heads * steps * points)
        self.value = nn.Conv2d(dims, dims, 1)
        self.output = nn.Sequential(nn.Linear(steps * dims, dims), nn.LayerNorm(dims), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(dropout)
        init_directional_offsets(self.offsets, heads, steps, points)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)

    def forward(self, query: Tensor, bev: Tensor, anchors: Tensor) -> Tensor:
        """Return updated queries (B, K, C).

        Args:
            query: (B, K, C).
            bev: (B, C, rows, cols).
            anchors: (K, S, 3) poses to read at, in the ego frame [m, m, rad].
        """
        batch, plans, dims = query.shape
        tokens = project(bev.flatten(2).transpose(1, 2)[:, None], self.value)
        raw = self._by_step(steer(query, self.offsets, self.weights))
        places, turns = self._references(anchors)
        shapes = ((self.grid.rows, self.grid.cols),)
        read = attend(tokens, shapes, raw, places, self.heads, turns=turns, form=self.deformable)
        return query + self.dropout(self.output(read.reshape(batch, plans, self.steps * dims)))

    def _references(self, anchors: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return where steps read (1, K * S, 1, 2) as fractions of the map, and what turns metres ahead into cells."""
        if self.compat:
            anchors = anchors[:, -1:].expand_as(anchors)
        places = self.grid.normalize(anchors[..., :2]).reshape(1, -1, 1, 2)
        if self.compat:
            return places, None
        yaw = anchors[..., 2].reshape(1, -1)
        return places, torch.stack([yaw.cos(), yaw.sin()], dim=-1) / self.grid.cell

    def _by_step(self, raw: Tensor) -> Tensor:
        """Return what `steer` gives for plans (B, K, 3 * M * S * P) as if steps were queries (B, K * S, 3 * M * P)."""
        parts = raw.tensor_split([self.offsets.out_features], dim=-1)
        split = [
            part.unflatten(-1, (self.heads, self.steps, -1)).transpose(2, 3).flatten(3) for part in parts
        ]
        return torch.cat(split, dim=-1).flatten(1, 2)


class TrajectoryDecoderLayer(nn.Module):
    """Path attention, norm and feed-forward; arguments as `PathAttention`'s."""

    def __init__(
        self,
        dims: int,
        heads: int,
        steps: int,
        points: int,
        grid: BEVGrid,
        dropout: float = 0.0,
        compat: bool = False,
        deformable: str = "auto",
    ) -> None:
        super().__init__()
        self.attention = PathAttention(dims, heads, steps, points, grid, dropout, compat, deformable)
        self.norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, 2 * dims, dropout)

    def forward(self, query: Tensor, bev: Tensor, anchors: Tensor) -> Tensor:
        """Return updated queries (B, K, C)."""
        return self.feed_forward(self.norm(self.attention(query, bev, anchors)))
