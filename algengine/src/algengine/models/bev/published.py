"""Arithmetic of the published encoder that ours replaces, for its weights."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.projection import CameraRig


def rotate_previous(previous: Tensor, yaw: Tensor, grid: BEVGrid) -> Tensor:
    """Return the previous map turned to the present heading by its nearest cells, zero where it knew nothing.

    The displacement is left to the reference points (`present_shift`). The published code turns about the middle of the
    map, which there is the ego.

    Args:
        previous: (B, C, rows, cols).
        yaw: (B,) turn since the previous frame [rad].
        grid: the layout of the map.
    """
    cols = torch.arange(grid.cols, device=previous.device, dtype=torch.float32) - (grid.cols - 1) / 2
    rows = torch.arange(grid.rows, device=previous.device, dtype=torch.float32) - (grid.rows - 1) / 2
    y, x = torch.meshgrid(rows, cols, indexing="ij")
    cos, sin = yaw.cos()[:, None, None], yaw.sin()[:, None, None]
    places = torch.stack(
        [(cos * x - sin * y) / (grid.cols / 2), (sin * x + cos * y) / (grid.rows / 2)], dim=-1
    )
    return functional.grid_sample(previous.float(), places, mode="nearest", align_corners=False)


def present_shift(motion: Tensor) -> Tensor:
    """Return the displacement (B, 2) [m] since the previous frame in the present ego frame.

    Args:
        motion: (B, 3) present ego pose in the previous ego frame.
    """
    cos, sin = motion[:, 2].cos(), motion[:, 2].sin()
    return torch.stack(
        [cos * motion[:, 0] + sin * motion[:, 1], cos * motion[:, 1] - sin * motion[:, 0]], dim=-1
    )


def mixed_previous(previous: Tensor, present: Tensor) -> Tensor:
    """Return the previous half of the control features (B, P, C) as published.

    The two streams are interleaved along the batch and the first B rows are taken: sample 1 gets the present stream of
    sample 0. A batch of one is unharmed.
    """
    return torch.stack([previous, present], dim=1).flatten(0, 1)[: len(previous)]


def published_rig(rig: CameraRig) -> CameraRig:
    """Return the rig as the published projection sees it: no lens distortion, and padding counts as image."""
    return replace(rig, distortion=torch.zeros_like(rig.distortion), image_size=rig.padded_size)
