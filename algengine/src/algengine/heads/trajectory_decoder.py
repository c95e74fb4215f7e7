"""Plan queries read the bird's-eye-view map along their own path.

B batch, K plans, S steps along a plan, M heads, P points, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.layers.deformable import deformable_sample, init_directional_offsets
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
        self.register_buffer("sizes", torch.tensor([float(grid.cols), float(grid.rows)]), persistent=False)
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
        shape = (batch, plans, self.heads, self.steps, self.points)
        places = self._places(self.offsets(query).reshape(*shape, 2), anchors)  # B, K, M, S, P, 2
        weights = self.weights(query).reshape(shape).softmax(-1)
        read = self._read(self.value(bev), places, weights)
        return query + self.dropout(self.output(read.reshape(batch, plans, self.steps * dims)))

    def _places(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """Return where to read (B, K, M, S, P, 2) as fractions of the map."""
        if self.compat:
            last = anchors[:, None, -1:, None, :2]
            return self.grid.normalize(last) + offsets / self.sizes
        cos, sin = anchors[:, None, :, None, 2].cos(), anchors[:, None, :, None, 2].sin()
        turned = torch.stack(
            [cos * offsets[..., 0] - sin * offsets[..., 1], sin * offsets[..., 0] + cos * offsets[..., 1]],
            dim=-1,
        )
        return self.grid.normalize(anchors[:, None, :, None, :2] + turned)

    def _read(self, value: Tensor, places: Tensor, weights: Tensor) -> Tensor:
        batch, plans = places.shape[:2]
        # Steps become queries of their own: (B, K * S, M, one level, P, 2).
        places = places.permute(0, 1, 3, 2, 4, 5).reshape(
            batch, plans * self.steps, self.heads, 1, self.points, 2
        )
        weights = weights.permute(0, 1, 3, 2, 4).reshape(
            batch, plans * self.steps, self.heads, 1, self.points
        )
        return deformable_sample([value], places, weights, self.deformable)


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
