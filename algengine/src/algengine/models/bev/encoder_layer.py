"""One layer of the bird's-eye-view encoder.

B batch, P cells, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.projection import CameraViews
from algengine.models.bev.spatial_attention import SpatialCrossAttention
from algengine.models.bev.temporal_attention import TemporalSelfAttention
from algengine.models.layers.deformable_attention import Shapes
from algengine.models.layers.feed_forward import FeedForward
from algengine.models.layers.norm import LeanNorm


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
        self.temporal_norm = LeanNorm(dims)
        self.spatial = SpatialCrossAttention(
            dims, heads, levels, heights, points, dropout, shared_value, deformable
        )
        self.spatial_norm = LeanNorm(dims)
        self.feed_forward = FeedForward(dims, 2 * dims, dropout, LeanNorm)

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        memory: Tensor | None,
        tokens: Tensor,
        shapes: Shapes,
        views: CameraViews,
        shift: Tensor | None = None,
    ) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            position: (P, C) code of each cell.
            memory: see `TemporalSelfAttention.forward`.
            tokens: see `SpatialCrossAttention.forward`.
            shapes: see there.
            views: which camera sees which cell, and where.
            shift: see `TemporalSelfAttention.forward`.
        """
        query = self.temporal_norm(self.temporal(query, position, memory, shift))
        query = self.spatial_norm(self.spatial(query, tokens, shapes, views))
        return self.feed_forward(query)
