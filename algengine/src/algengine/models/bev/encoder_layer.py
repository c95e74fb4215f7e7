"""One layer of the bird's-eye-view encoder.

B batch, P cells, C channels, N cameras, L feature levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.projection import CameraViews
from algengine.models.bev.spatial_attention import SpatialCrossAttention
from algengine.models.bev.temporal_attention import TemporalSelfAttention
from algengine.models.layers.feed_forward import FeedForward


class BEVEncoderLayer(nn.Module):
    """Temporal attention, spatial attention and feed-forward, each followed by a norm; see `BEVEncoder`."""

    def __init__(
        self,
        dims: int,
        heads: int,
        levels: int,
        heights: int,
        grid: BEVGrid,
        points: int = 2,
        dropout: float = 0.0,
        shared_value: bool = False,
        compat: bool = False,
        deformable: str = "auto",
    ) -> None:
        super().__init__()
        self.temporal = TemporalSelfAttention(dims, heads, 2 * points, grid, dropout, compat, deformable)
        self.temporal_norm = nn.LayerNorm(dims)
        self.spatial = SpatialCrossAttention(
            dims, heads, levels, heights, points, dropout, shared_value, deformable
        )
        self.spatial_norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, 2 * dims, dropout)

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        previous: Tensor | None,
        features: Sequence[Tensor],
        views: CameraViews,
        present: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            position: (P, C) code of each cell.
            previous: (B, P, C) previous map in the present frame, or None.
            features: L maps (B, N, C, h, w).
            views: which camera sees which cell, and where.
            present: see `TemporalSelfAttention.forward`.
            shift: see `TemporalSelfAttention.forward`.
        """
        query = self.temporal_norm(self.temporal(query, position, previous, present, shift))
        query = self.spatial_norm(self.spatial(query, features, views))
        return self.feed_forward(query)
