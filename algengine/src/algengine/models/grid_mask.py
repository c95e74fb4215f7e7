"""GridMask: square holes in images while training, so that the planner does not lean on single places.

The published form: holes on a grid whose pitch is drawn anew each time, the same for all images of a batch.
"""

from __future__ import annotations

import torch
from torch import Tensor


def grid_mask(height: int, width: int, device: torch.device, ratio: float = 0.5) -> Tensor:
    """Return a mask (height, width) float that is zero in the holes.

    Args:
        height: rows of the images.
        width: columns of the images.
        device: where the mask is made; the random numbers come from the CPU.
        ratio: how much of the pitch is kept along each axis.
    """
    pitch = int(torch.randint(2, max(height, 3), ()))
    kept = min(max(int(pitch * ratio + 0.5), 1), pitch - 1)
    rows, cols = (_stripes(size, pitch, kept, device) for size in (height, width))
    return (rows[:, None] | cols[None, :]).float()


def _stripes(size: int, pitch: int, kept: int, device: torch.device) -> Tensor:
    """Return which of `size` pixels lie in stripes of `kept` pixels every `pitch`, from a random start."""
    start = int(torch.randint(0, pitch, ()))
    return (torch.arange(size, device=device) - start) % pitch < kept
