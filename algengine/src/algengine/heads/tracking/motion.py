"""Where what was seen in one ego frame is in the next: it has moved, and so has the ego."""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.heads.tracking.box_code import BoxCode


def moved_reference(reference: Tensor, velocity: Tensor, motion: Tensor, dt: float, code: BoxCode) -> Tensor:
    """Return references (B, K, 3) in the present ego frame.

    Args:
        reference: (B, K, 3) in the previous ego frame.
        velocity: (B, K, 2) over the ground along the previous axes [m/s].
        motion: (B, 3) present ego pose in the previous ego frame [m, m, rad].
        dt: time between the frames [s].
        code: layout of references.
    """
    place = code.place(reference)
    gone = place[..., :2] + dt * velocity - motion[:, None, :2]
    cos, sin = motion[:, None, 2].cos(), motion[:, None, 2].sin()
    x = cos * gone[..., 0] + sin * gone[..., 1]
    y = cos * gone[..., 1] - sin * gone[..., 0]
    return code.reference(torch.stack([x, y, place[..., 2]], dim=-1))
