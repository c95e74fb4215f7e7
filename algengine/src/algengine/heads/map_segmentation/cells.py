"""Cells of a map: splitting them, where they are, and codes of places and boxes.

B batch, S cells, C channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SubCells(nn.ConvTranspose2d):
    """Splits each cell of a map into `factor` x `factor` cells; at first they are copies.

    Map elements are thinner than the cells of a coarse map; interpolated masks could not be.
    """

    def __init__(self, dims: int, factor: int) -> None:
        super().__init__(dims, dims, factor, stride=factor)
        self.factor = factor
        with torch.no_grad():
            self.weight.copy_(torch.eye(dims)[..., None, None].expand_as(self.weight))
            self.bias.zero_()

    def forward(self, cells: Tensor, size: tuple[int, int]) -> Tensor:
        """Return cells (B, S * factor^2, C), row by row, of cells (B, S, C) of a map of `size`."""
        return super().forward(cells.transpose(1, 2).unflatten(2, size)).flatten(2).transpose(1, 2)


def cell_centers(size: tuple[int, int], device: torch.device) -> Tensor:
    """Return the centres (rows * cols, 2) of the cells as fractions x, y of the map, row by row."""
    y, x = ((torch.arange(count, device=device) + 0.5) / count for count in size)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).reshape(-1, 2)


def box_sine_code(boxes: Tensor, dims: int) -> Tensor:
    """Return the sine code (..., 2 dims) of boxes (..., 4): that of the centre, then that of the size."""
    return torch.cat([sine_code(boxes[..., :2], dims), sine_code(boxes[..., 2:], dims)], dim=-1)


def sine_code(places: Tensor, dims: int) -> Tensor:
    """Return the sine code (..., dims) of places (..., 2) in [0, 1], y before x, as in Carion et al. 2020."""
    count = dims // 4
    wave = 10000.0 ** (torch.arange(count, device=places.device) / count)
    phase = 2.0 * math.pi * places.flip(-1)[..., None] / wave  # ..., 2, count
    return torch.stack([phase.sin(), phase.cos()], dim=-1).flatten(-3)
