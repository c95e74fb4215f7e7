"""A grid of square cells in the plane, and the cell that each of many points is in."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Grid:
    """Rows x columns of cells with a rim of one more cell all around, which takes everything farther out.

    Attributes:
        corner: (2,) lower left corner of the cells within the rim [m].
        cell: () edge of a cell [m]; a tensor, because a division by a Python number is a product on a GPU and
            could put points on an edge into another cell than the one they were prepared for.
        within: (2,) number of columns and rows within the rim.
        columns: () number of columns, rim included.
    """

    corner: torch.Tensor
    cell: torch.Tensor
    within: torch.Tensor
    columns: torch.Tensor

    def cells(self, points: torch.Tensor) -> torch.Tensor:
        """Return the cells (...) of points (2, ...) as int64: row times columns plus column, rim included."""
        spread = (2, *[1] * (points.ndim - 1))
        place = torch.floor((points - self.corner.view(spread)) / self.cell).clamp(min=-1.0)
        # Of a number and none, the number is the smaller: points that are none are in the rim.
        column, row = torch.fmin(place, self.within.view(spread)) + 1.0
        return torch.addcmul(column, row, self.columns).long()


def upload_grid(
    corner: tuple[float, float], cell: float, rows: int, columns: int, device: torch.device
) -> Grid:
    """Return a grid on `device`; `corner`, `rows` and `columns` are those within the rim."""
    numbers = [*corner, cell, columns, rows, columns + 2]
    corner_, cell_, within, width = torch.tensor(numbers, dtype=torch.float64, device=device).split(
        [2, 1, 2, 1]
    )
    return Grid(corner_, cell_[0], within, width[0])
