"""A grid of square cells in the plane, and the cell that each of many points is in."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Grid:
    """Rows x columns cells; cell `row * columns + column`, and one more number for everything outside.

    Attributes:
        corner: (2,) lower left corner [m].
        cell: () edge of a cell [m]; a tensor, because a division by a Python number is a product on a GPU and
            could put points on an edge into another cell than the one they were prepared for.
        shape: (2,) number of columns, number of rows.
        columns: number of columns.
        num_cells: number of cells, which is also the number of the outside.
    """

    corner: torch.Tensor
    cell: torch.Tensor
    shape: torch.Tensor
    columns: int
    num_cells: int

    def cells(self, points: torch.Tensor) -> torch.Tensor:
        """Return the cells (...) of points (2, ...) as int64."""
        spread = (2, *[1] * (points.ndim - 1))
        place = torch.floor((points - self.corner.view(spread)) / self.cell)
        known = ((place >= 0.0) & (place < self.shape.view(spread))).all(0)
        return torch.where(known, place[1] * self.columns + place[0], self.num_cells).long()


def upload_grid(
    corner: tuple[float, float], cell: float, rows: int, columns: int, device: torch.device
) -> Grid:
    """Return a grid on `device`; `corner` is its lower left."""
    numbers = torch.tensor([*corner, columns, rows, cell], dtype=torch.float64, device=device)
    return Grid(numbers[:2], numbers[4], numbers[2:4], columns, rows * columns)
