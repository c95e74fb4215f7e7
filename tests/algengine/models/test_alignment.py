import math

import pytest
import torch

from algengine.models.bev.alignment import align_previous
from algengine.models.bev.grid import BEVGrid

pytestmark = pytest.mark.mm
GRID = BEVGrid((-8.0, 8.0), (-8.0, 8.0), 1.0)


def aligned(previous: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """Return the aligned map (B, C, rows, cols)."""
    cells = align_previous(previous, motion, GRID, GRID.centers())
    return cells.transpose(1, 2).reshape(previous.shape)


def spot(x: float, y: float) -> torch.Tensor:
    """Return a map that is one in the cell at (x, y)."""
    bev = torch.zeros(1, 1, GRID.rows, GRID.cols)
    bev[0, 0, int(y + 8), int(x + 8)] = 1.0
    return bev


def test_centers_run_along_x_first():
    centers = GRID.centers()
    assert centers[0].tolist() == [-7.5, -7.5]
    assert centers[1].tolist() == [-6.5, -7.5]
    assert GRID.normalize(centers[0]).tolist() == [0.5 / 16, 0.5 / 16]


def test_driving_forward_moves_things_back():
    moved = aligned(spot(4.5, 1.5), torch.tensor([[2.0, 0.0, 0.0]]))
    assert torch.allclose(moved, spot(2.5, 1.5), atol=1e-5)


def test_turning_left_moves_things_right():
    moved = aligned(spot(4.5, 0.5), torch.tensor([[0.0, 0.0, math.pi / 2]]))
    # (4.5, 0.5) in a frame turned by +90 degrees: x' = y, y' = -x.
    assert torch.allclose(moved, spot(0.5, -4.5), atol=1e-5)


def test_unknown_places_are_zero():
    moved = aligned(torch.ones(1, 1, 16, 16), torch.tensor([[5.0, 0.0, 0.0]]))
    assert torch.allclose(moved[0, 0, :, :11], torch.ones(16, 11), atol=1e-5)
    assert moved[0, 0, :, 11:].abs().max() < 1e-5


def test_samples_move_on_their_own():
    motion = torch.tensor([[2.0, 0.0, 0.0], [0.0, 3.0, 0.4]])
    previous = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    both = aligned(previous, motion)
    for i in range(2):
        assert torch.allclose(both[i : i + 1], aligned(previous[i : i + 1], motion[i : i + 1]))
