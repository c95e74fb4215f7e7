"""Fourier code of places in metres.

Metres are first divided by a range, so that the slowest wave is longer than the whole workspace and no two places in
it share a code; the plain coordinate is kept as well.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

NUM_FREQUENCIES = 6
XY_CODE_SIZE = 2 + 4 * NUM_FREQUENCIES
POSE_CODE_SIZE = XY_CODE_SIZE + 2


def encode_xy(xy: Tensor, reach: float) -> Tensor:
    """Return the code (..., XY_CODE_SIZE) of points (..., 2) [m].

    Args:
        xy: points in the ego frame.
        reach: largest coordinate of interest [m]; waves are 2 * reach, reach, reach / 2, ... long.
    """
    scaled = xy / reach
    octaves = math.pi * 2.0 ** torch.arange(NUM_FREQUENCIES, device=xy.device, dtype=xy.dtype)
    phase = scaled[..., None] * octaves  # (..., 2, F)
    waves = torch.cat([phase.sin(), phase.cos()], dim=-1)
    return torch.cat([scaled, waves.flatten(-2)], dim=-1)


def encode_pose(pose: Tensor, reach: float) -> Tensor:
    """Return the code (..., POSE_CODE_SIZE) of poses (..., 3): `encode_xy`, then cos and sin of the yaw."""
    yaw = pose[..., 2:3]
    return torch.cat([encode_xy(pose[..., :2], reach), yaw.cos(), yaw.sin()], dim=-1)
