"""The 18 numbers by which the published encoder learns how the ego moved, and their embedding.

Slots: 0-2 displacement since the previous frame [m], 3-6 rotation since then (quaternion wxyz), 7-9 acceleration
[m/s^2], 10-12 velocity [m/s], 13-15 angular rate [rad/s], 16 turn since the previous frame [rad], 17 the same [deg]
As in the published planner.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

CAN_BUS_SIZE = 18


def can_bus_from_motion(
    motion: Tensor | None,
    velocity: Tensor,
    acceleration: Tensor,
    dt: float = 0.5,
    heading: Tensor | None = None,
) -> Tensor:
    """Return can-bus vectors (B, 18).

    The published vector has displacements along the axes of the map, so it depends on where north is, and turns that
    jump by 360 degrees. This one never jumps, and without `heading` it is along the axes of the previous ego frame.

    Args:
        motion: (B, 3) present ego pose in the previous ego frame [m, m, rad], or None at the start of a rollout.
        velocity: (B, 2) in the ego frame [m/s].
        acceleration: (B, 2) in the ego frame [m/s^2].
        dt: time between frames [s].
        heading: (B,) present yaw in the map's frame [rad], for published weights.
    """
    if motion is None:
        motion = velocity.new_zeros(len(velocity), 3)
    yaw = torch.atan2(motion[:, 2].sin(), motion[:, 2].cos())
    vector = velocity.new_zeros(len(velocity), CAN_BUS_SIZE)
    before = torch.zeros_like(yaw) if heading is None else heading - yaw
    vector[:, 0] = before.cos() * motion[:, 0] - before.sin() * motion[:, 1]
    vector[:, 1] = before.sin() * motion[:, 0] + before.cos() * motion[:, 1]
    vector[:, 3], vector[:, 6] = (yaw / 2).cos(), (yaw / 2).sin()
    vector[:, 7:9] = acceleration
    vector[:, 10:12] = velocity
    vector[:, 15] = yaw / dt
    vector[:, 16], vector[:, 17] = yaw, yaw * (180.0 / math.pi)
    return vector


class CanBusEmbedding(nn.Sequential):
    """Embeds can-bus vectors (B, 18) as (B, dims)."""

    def __init__(self, dims: int) -> None:
        super().__init__(
            nn.Linear(CAN_BUS_SIZE, dims // 2),
            nn.ReLU(inplace=True),
            nn.Linear(dims // 2, dims),
            nn.ReLU(inplace=True),
            nn.LayerNorm(dims),
        )
