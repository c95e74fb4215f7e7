"""Maps of several cameras as one, so that one read of it serves cells seen by different cameras.

B batch, N cameras, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
