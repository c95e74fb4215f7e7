"""Carrying a bird's-eye-view map from the previous ego frame into the present one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from algengine.models.bev.grid import BEVGrid


def align_previous(previous: Tensor, motion: Tensor, grid: BEVGrid) -> Tensor:
    """Return the previous map as seen from the present ego pose, zero where it knew nothing.

    Args:
        previous: (B, C, rows, cols) map around the previous pose.
        motion: (B, 3) present ego pose in the previous ego frame [m, m, rad].
        grid: the layout of both maps.
    """
    centers = grid.centers().to(motion)  # cells, 2
    cos, sin = motion[:, 2].cos()[:, None], motion[:, 2].sin()[:, None]
    x = cos * centers[:, 0] - sin * centers[:, 1] + motion[:, 0:1]
    y = sin * centers[:, 0] + cos * centers[:, 1] + motion[:, 1:2]
    places = 2.0 * grid.normalize(torch.stack([x, y], dim=-1)) - 1.0
    places = places.reshape(-1, grid.rows, grid.cols, 2)
    return functional.grid_sample(previous.float(), places, align_corners=False)
