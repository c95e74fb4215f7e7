"""Carrying a bird's-eye-view map from the previous ego frame into the present one."""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.models.bev.grid import BEVGrid
from algengine.models.layers.deformable import deformable_sample


def align_previous(
    previous: Tensor, motion: Tensor, grid: BEVGrid, centers: Tensor, form: str = "auto"
) -> Tensor:
    """Return the cells (B, P, C) of the previous map as seen from the present ego pose, zero where it knew nothing.

    Args:
        previous: (B, C, rows, cols) map around the previous pose.
        motion: (B, 3) present ego pose in the previous ego frame [m, m, rad].
        grid: the layout of both maps.
        centers: (P, 2) `grid.centers()`, where the maps are.
        form: see `choose_form`.
    """
    cos, sin = motion[:, 2].cos()[:, None], motion[:, 2].sin()[:, None]
    x = cos * centers[:, 0] - sin * centers[:, 1] + motion[:, 0:1]
    y = sin * centers[:, 0] + cos * centers[:, 1] + motion[:, 1:2]
    places = grid.normalize(torch.stack([x, y], dim=-1))[:, :, None, None, None]  # B, P, 1, 1, 1, 2
    return deformable_sample([previous], places, torch.ones_like(places[..., 0]), form)
