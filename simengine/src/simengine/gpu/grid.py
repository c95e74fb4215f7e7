"""A grid of square cells in the plane, and the cell that each of many points is in."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Grid:
    """Rows x columns cells; cell `row * columns + column`, and one more number for everything outside.

    Attributes:
        x: () left edge [m].
        y: () lower edge [m].
        cell: () edge of a cell [m]; a tensor, because a division by a Python number is a product on a GPU and
            could put points on an edge into another cell than the one they were prepared for.
        rows: number of rows.
        columns: number of columns.
    """

    x: torch.Tensor
    y: torch.Tensor
    cell: torch.Tensor
    rows: int
    columns: int

    @property
    def num_cells(self) -> int:
        """Number of cells, which is also the number of the outside."""
        return self.rows * self.columns

    def cells(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the cells (...) of points (...) as int64."""
        column, row = torch.floor((x - self.x) / self.cell), torch.floor((y - self.y) / self.cell)
        known = (row >= 0) & (row < self.rows) & (column >= 0) & (column < self.columns)
        return torch.where(known, row * self.columns + column, self.num_cells).long()


def upload_grid(x: float, y: float, cell: float, rows: int, columns: int, device: torch.device) -> Grid:
    """Return a grid whose lower left corner is (x, y), on `device`."""
    corner = torch.tensor([x, y, cell], dtype=torch.float64, device=device)
    return Grid(corner[0], corner[1], corner[2], rows, columns)
