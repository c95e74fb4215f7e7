"""Spatial cross-attention: each bird's-eye-view cell reads the cameras that see it.

B batch, N cameras, S cells of all feature levels, P cells of the map, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.models.bev.projection import CameraViews
from algengine.models.layers.deformable import init_directional_offsets
from algengine.models.layers.deformable_attention import Shapes, attend, project, steer


class SpatialCrossAttention(nn.Module):
    """Deformable attention into camera features around the projections of each cell's pillar.

    Args:
        dims: channels C.
        heads: attention heads.
        levels: feature levels.
        heights: heights of a pillar.
        points: reads per head, level and height.
        dropout: dropout of what is added to the queries.
        shared_value: whether one projection serves all levels.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int,
        heads: int,
        levels: int,
        heights: int,
        points: int,
        dropout: float = 0.0,
        shared_value: bool = False,
        deformable: str = "auto",
    ) -> None:
        super().__init__()
        self.deformable = deformable
        self.heads, self.levels, self.heights, self.points = heads, levels, heights, points
        samples = heads * levels * heights * points
        self.offsets = nn.Linear(dims, samples * 2)
        self.weights = nn.Linear(dims, samples)
        self.value = nn.ModuleList(nn.Conv2d(dims, dims, 1) for _ in range(1 if shared_value else levels))
        self.output = nn.Linear(dims, dims)
        self.dropout = nn.Dropout(dropout)
        init_directional_offsets(self.offsets, heads, levels * heights, points)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        nn.init.xavier_uniform_(self.output.weight)

    def forward(self, query: Tensor, tokens: Tensor, shapes: Shapes, views: CameraViews) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            tokens: (B, N, S, C) camera features, cells of all levels.
            shapes: rows and columns of each level.
            views: which camera sees which cell, and where.
        """
        raw = steer(query, self.offsets, self.weights)
        value = self._value(tokens, shapes)
        read = attend(value, shapes, raw, views.places, self.heads, views.pairs, form=self.deformable)
        return query + self.dropout(self.output(read))

    def _value(self, tokens: Tensor, shapes: Shapes) -> Tensor:
        if len(self.value) == 1:
            return project(tokens, self.value[0])
        levels = tokens.split([rows * cols for rows, cols in shapes], dim=2)
        return torch.cat(
            [project(level, conv) for level, conv in zip(levels, self.value, strict=True)], dim=2
        )
