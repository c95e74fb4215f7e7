"""The bird's-eye-view grid: where its cells lie in the ego frame.

Columns run along x (forward), rows along y (left), both from the low end; cell centres are half a cell inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BEVGrid:
    """A regular grid on the ground.

    Attributes:
        x_range: low and high end along x in the ego frame [m].
        y_range: low and high end along y in the ego frame [m].
        cell: edge of a cell [m].
    """

    x_range: tuple[float, float] = (-12.8, 57.6)
    y_range: tuple[float, float] = (-25.6, 25.6)
    cell: float = 1.28

    @property
    def cols(self) -> int:
        """Number of cells along x."""
        return round((self.x_range[1] - self.x_range[0]) / self.cell)

    @property
    def rows(self) -> int:
        """Number of cells along y."""
        return round((self.y_range[1] - self.y_range[0]) / self.cell)

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return self.rows * self.cols

    @property
    def extent(self) -> tuple[float, float]:
        """Size along x and y [m]."""
        return self.cols * self.cell, self.rows * self.cell

    def centers(self) -> Tensor:
        """Return cell centres (rows * cols, 2) x, y in the ego frame [m], row by row."""
        x = self.x_range[0] + (torch.arange(self.cols) + 0.5) * self.cell
        y = self.y_range[0] + (torch.arange(self.rows) + 0.5) * self.cell
        return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).reshape(-1, 2)

    def normalize(self, xy: Tensor) -> Tensor:
        """Return points (..., 2) [m] as fractions of the grid, border to border."""
        # Plain numbers: a tensor made here would be copied to the device at every call.
        width, height = self.extent
        return torch.stack(
            [(xy[..., 0] - self.x_range[0]) / width, (xy[..., 1] - self.y_range[0]) / height], dim=-1
        )
