"""Boxes as the track head predicts them, and reference points.

A code is x, y, log length, log width, z, log height, sin yaw, cos yaw, velocity x, y. A reference is a place as
fractions of the volume, low end to high end; references move by their logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.models.layers.inverse_sigmoid import inverse_sigmoid

CODE_SIZE = 10
PLACE = (0, 1, 4)
"""Columns of a code that hold x, y, z."""

_LEAST_SIZE = 1e-5


@dataclass(frozen=True)
class BoxCode:
    """Turns boxes (..., 9), see `structures.objects`, into codes (..., 10) and back.

    Attributes:
        low: low end of the volume along x, y, z in the ego frame [m].
        high: its high end.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    @classmethod
    def of(cls, x_range: Sequence[float], y_range: Sequence[float], z_range: Sequence[float]) -> BoxCode:
        """Return the code of a volume."""
        return cls(*((x_range[i], y_range[i], z_range[i]) for i in (0, 1)))

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
        moved = (raw[..., PLACE] + inverse_sigmoid(reference)).sigmoid()
        place = self.place(moved)
        parts = [place[..., :2], raw[..., 2:4], place[..., 2:], raw[..., 5:]]
        return torch.cat(parts, dim=-1), moved

    def place(self, reference: Tensor) -> Tensor:
        """Return places (..., 3) in the ego frame [m]."""
        low, high = reference.new_tensor(self.low), reference.new_tensor(self.high)
        return low + reference * (high - low)

    def reference(self, place: Tensor) -> Tensor:
        """Return references (..., 3) of places (..., 3) [m], moved onto the border if they are outside."""
        low, high = place.new_tensor(self.low), place.new_tensor(self.high)
        return ((place - low) / (high - low)).clamp(0.0, 1.0)
