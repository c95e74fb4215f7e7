"""The Fourier code of the published planner, for its weights; `position_code` is the one to train with.

It codes raw metres with waves of 2 pi / (1, 2, ... 32) metres and no plain coordinate, so places 2 pi metres apart
share a code.
"""

from __future__ import annotations

import torch
from torch import Tensor

NUM_FREQUENCIES = 6
PUBLISHED_POSE_CODE_SIZE = 4 * NUM_FREQUENCIES + 2


def encode_pose_published(pose: Tensor) -> Tensor:
    """Return the code (..., 26) of poses (..., 3) [m, m, rad].

    For each frequency sin x, sin y, cos x, cos y; then cos and sin of the yaw.
    """
    frequencies = 2.0 ** torch.arange(NUM_FREQUENCIES, device=pose.device, dtype=pose.dtype)
    phase = frequencies[:, None] * pose[..., None, :2]  # (..., F, 2)
    waves = torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(-2)
    yaw = pose[..., 2:3]
    return torch.cat([waves, yaw.cos(), yaw.sin()], dim=-1)
