"""Boxes as the track head predicts them, and reference points.

A code is x, y, log length, log width, z, log height, sin yaw, cos yaw, velocity x, y. A reference is a place as
fractions of the volume, low end to high end; references move by their logits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from algengine.models.layers.inverse_sigmoid import inverse_sigmoid

CODE_SIZE = 10

_LEAST_SIZE = 1e-5


class BoxCode(nn.Module):
    """Turns boxes (..., 9), see `structures.objects`, into codes (..., 10) and back.

    A module without parameters, so that the volume is where the network is and nothing is copied per call.

    Args:
        x_range: low and high end of the volume along x in the ego frame [m].
        y_range: along y.
        z_range: along z.
    """

    def __init__(self, x_range: Sequence[float], y_range: Sequence[float], z_range: Sequence[float]) -> None:
        super().__init__()
        low, high = torch.tensor([x_range, y_range, z_range], dtype=torch.float32).unbind(-1)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)

    def encode(self, boxes: Tensor) -> Tensor:
        """Return codes (..., 10) of boxes (..., 9) with positive sizes."""
        x, y, z, length, width, height, yaw, vx, vy = boxes.unbind(-1)
        sizes = [size.clamp(min=_LEAST_SIZE).log() for size in (length, width, height)]
        return torch.stack([x, y, sizes[0], sizes[1], z, sizes[2], yaw.sin(), yaw.cos(), vx, vy], dim=-1)

    def decode(self, code: Tensor) -> Tensor:
        """Return boxes (..., 9) of codes (..., 10); yaw in (-pi, pi]."""
        x, y, length, width, z, height, sin, cos, vx, vy = code.unbind(-1)
        # A young network may ask for any size; beyond a kilometre it is no box but must not be infinite.
        sizes = [size.clamp(-7.0, 7.0).exp() for size in (length, width, height)]
        return torch.stack([x, y, z, *sizes, torch.atan2(sin, cos), vx, vy], dim=-1)

    def refine(self, raw: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes (..., 10) and their places as references (..., 3).

        Args:
            raw: (..., 10) output of a branch; its place is a step of the logits of `reference`.
            reference: (..., 3).
        """
        step = torch.cat([raw[..., :2], raw[..., 4:5]], dim=-1)
        moved = (step + inverse_sigmoid(reference)).sigmoid()
        place = self.place(moved)
        parts = [place[..., :2], raw[..., 2:4], place[..., 2:], raw[..., 5:]]
        return torch.cat(parts, dim=-1), moved

    def place(self, reference: Tensor) -> Tensor:
        """Return places (..., 3) in the ego frame [m]."""
        return self.low + reference * (self.high - self.low)

    def reference(self, place: Tensor) -> Tensor:
        """Return references (..., 3) of places (..., 3) [m], moved onto the border if they are outside."""
        return ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
