"""The bird's-eye-view encoder: camera features and the previous map in, present map out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from algengine.models.bev.alignment import align_previous
from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.projection import CameraRig, CameraViews, view_cells
from algengine.models.bev.spatial_attention import SpatialCrossAttention
from algengine.models.bev.temporal_attention import TemporalSelfAttention
from algengine.models.layers.feed_forward import FeedForward
from algengine.registry import MODELS


class BEVEncoderLayer(nn.Module):
    """Temporal attention, spatial attention and feed-forward, each followed by a norm."""

    def __init__(
        self,
        dims: int,
        heads: int,
        levels: int,
        heights: int,
        grid: BEVGrid,
        points: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.temporal = TemporalSelfAttention(dims, heads, 2 * points, grid, dropout)
        self.temporal_norm = nn.LayerNorm(dims)
        self.spatial = SpatialCrossAttention(dims, heads, levels, heights, points, dropout)
        self.spatial_norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, 2 * dims, dropout)

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        previous: Tensor | None,
        features: Sequence[Tensor],
        views: CameraViews,
    ) -> Tensor:
        """Return updated queries (B, P, C)."""
        query = self.temporal_norm(self.temporal(query, position, previous))
        query = self.spatial_norm(self.spatial(query, features, views))
        return self.feed_forward(query)


@MODELS.register_module()
class BEVEncoder(BaseModule):
    """BEVFormer-style encoder of one frame.

    Args:
        dims: channels of the map and of the camera features.
        heads: attention heads.
        levels: number of feature levels.
        num_layers: encoder layers.
        num_cameras: cameras of the rig, each with its own embedding.
        heights: heights at which a cell is looked for in the images [m].
        x_range: extent of the grid along x in the ego frame [m].
        y_range: extent of the grid along y in the ego frame [m].
        cell: edge of a cell [m].
        dropout: dropout after each attention and inside the feed-forward.
    """

    def __init__(
        self,
        dims: int = 64,
        heads: int = 4,
        levels: int = 2,
        num_layers: int = 2,
        num_cameras: int = 8,
        heights: Sequence[float] = (0.0, 0.8, 1.6, 3.0),
        x_range: Sequence[float] = (-12.8, 57.6),
        y_range: Sequence[float] = (-25.6, 25.6),
        cell: float = 1.28,
        dropout: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.grid = BEVGrid(tuple(x_range), tuple(y_range), cell)
        self.queries = nn.Parameter(torch.randn(self.grid.num_cells, dims) * 0.1)
        self.row_code = nn.Parameter(torch.randn(self.grid.rows, dims // 2) * 0.1)
        self.col_code = nn.Parameter(torch.randn(self.grid.cols, dims // 2) * 0.1)
        self.camera_code = nn.Parameter(torch.randn(num_cameras, dims) * 0.1)
        self.level_code = nn.Parameter(torch.randn(levels, dims) * 0.1)
        self.layers = nn.ModuleList(
            BEVEncoderLayer(dims, heads, levels, len(heights), self.grid, dropout=dropout)
            for _ in range(num_layers)
        )
        self.register_buffer("heights", torch.tensor(list(heights)), persistent=False)
        self.register_buffer("centers", self.grid.centers(), persistent=False)

    def view(self, rig: CameraRig) -> CameraViews:
        """Return which cells the cameras of `rig` see; the same for all frames with these calibrations."""
        return view_cells(self.centers, self.heights, rig)

    def forward(
        self, features: Sequence[Tensor], views: CameraViews, previous: Tensor | None, motion: Tensor | None
    ) -> Tensor:
        """Return the present map (B, C, rows, cols).

        Args:
            features: L maps (B, N, C, h, w).
            views: result of `view`.
            previous: (B, C, rows, cols) map of the previous frame, or None.
            motion: (B, 3) present ego pose in the previous ego frame; needed with `previous`.
        """
        batch = len(features[0])
        codes = self.camera_code[:, None] + self.level_code  # N, L, C
        features = [f + codes[:, i, :, None, None] for i, f in enumerate(features)]
        aligned = None
        if previous is not None:
            aligned = align_previous(previous, motion, self.grid).flatten(2).transpose(1, 2)
        position = torch.cat(
            [
                self.col_code[None].expand(self.grid.rows, -1, -1),
                self.row_code[:, None].expand(-1, self.grid.cols, -1),
            ],
            dim=-1,
        ).flatten(0, 1)
        cells = self.queries[None].expand(batch, -1, -1)
        for layer in self.layers:
            cells = layer(cells, position, aligned, features, views)
        return cells.transpose(1, 2).reshape(batch, -1, self.grid.rows, self.grid.cols)
