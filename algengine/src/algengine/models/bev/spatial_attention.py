"""Spatial cross-attention: each bird's-eye-view cell reads the cameras that see it.

B batch, N cameras, P cells, V pairs of cell and camera, Z heights, M heads, L levels, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.models.bev.projection import CameraViews
from algengine.models.layers.deformable import deformable_sample, init_directional_offsets


class SpatialCrossAttention(nn.Module):
    """Deformable attention into camera features around the projections of each cell's pillar.

    Args:
        dims: channels C.
        heads: attention heads M.
        levels: feature levels L.
        heights: heights Z of a pillar.
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

    def forward(self, query: Tensor, features: Sequence[Tensor], views: CameraViews) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            features: L maps (B, N, C, h, w).
            views: which camera sees which cell, and where.
        """
        batch, cells, dims = query.shape
        index = views.cells[..., None].expand(-1, -1, dims)  # B, V, C
        asked = torch.gather(query, 1, index)
        projections = list(self.value) * (self.levels // len(self.value))
        values = [mosaic(conv(f.flatten(0, 1)), batch) for conv, f in zip(projections, features, strict=True)]
        locations, weights = self._points(asked, features, views)
        read = deformable_sample(values, locations, weights, self.deformable) * views.seen[..., None]
        total = read.new_zeros(batch, cells, dims).scatter_add(1, index, read)
        mean = total / views.count.clamp(min=1)[..., None]
        return query + self.dropout(self.output(mean))

    def _points(self, asked: Tensor, features: Sequence[Tensor], views: CameraViews) -> tuple[Tensor, Tensor]:
        shape = (*asked.shape[:2], self.heads, self.levels, self.heights, self.points)
        sizes = asked.new_tensor([[f.shape[-1], f.shape[-2]] for f in features])[:, None, None]  # L, 1, 1, 2
        pixels = views.places[:, :, None, None, :, None] * sizes + self.offsets(asked).reshape(*shape, 2)
        camera = views.cameras[:, :, None, None, None, None]
        locations = in_mosaic(pixels, camera, sizes, features[0].shape[1])
        weights = self.weights(asked).reshape(*shape[:3], -1).softmax(-1)
        return locations.flatten(4, 5), weights.reshape(*shape[:4], -1)


def mosaic(maps: Tensor, batch: int) -> Tensor:
    """Return maps (B * N, C, h, w) of a rig stacked into one (B, C, N * (h + 1) + 1, w), rows of zeros between.

    One map per sample lets each cell read just the cameras that see it, in one call.
    """
    stacked = functional.pad(maps, (0, 0, 0, 1)).reshape(
        batch, -1, *maps.shape[1:2], maps.shape[2] + 1, maps.shape[3]
    )
    return functional.pad(stacked.transpose(1, 2).flatten(2, 3), (0, 0, 1, 0))


def in_mosaic(pixels: Tensor, camera: Tensor, sizes: Tensor, cameras: int) -> Tensor:
    """Return places in a mosaic as fractions (..., 2) of it.

    Args:
        pixels: (..., 2) continuous x, y in one camera's map.
        camera: (...) its index.
        sizes: (..., 2) width and height of the camera's map.
        cameras: number of cameras N.
    """
    width, height = sizes[..., 0], sizes[..., 1]
    # Beyond half a row outside, both rows read are zeros between maps; no place reaches the next camera.
    y = torch.minimum(pixels[..., 1].clamp(min=-0.5), height + 0.5)
    top = 1 + camera * (height + 1)
    return torch.stack([pixels[..., 0] / width, (top + y) / (cameras * (height + 1) + 1)], dim=-1)
