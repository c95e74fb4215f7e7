"""Embedding of the ego status: where it was, how it moves and where the route goes.

B batch, H history steps, the last of which is now.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers.position_code import POSE_CODE_SIZE, encode_pose

NUM_COMMANDS = 4
_HISTORY_REACH = 40.0
_SPEED_SCALE = 10.0
_ACCELERATION_SCALE = 3.0
_STEP_SIZE = POSE_CODE_SIZE + 2 + 2 + NUM_COMMANDS + 1


class EgoStatusEmbedding(nn.Module):
    """Embeds all history steps and keeps their order; the present step always takes part.

    Args:
        dims: size of the embedding.
        steps: history steps H.
        past_dropout: training only: probability that the past and the accelerations of a sample are hidden, so that
            the planner cannot get by on continuing its own motion.
    """

    def __init__(self, dims: int, steps: int = 4, past_dropout: float = 0.0) -> None:
        super().__init__()
        self.steps = steps
        self.past_dropout = past_dropout
        self.layers = nn.Sequential(
            nn.Linear(steps * _STEP_SIZE, 2 * dims), nn.ReLU(inplace=True), nn.Linear(2 * dims, dims)
        )

    def forward(self, status: dict[str, Tensor]) -> Tensor:
        """Return embeddings (B, dims).

        Args:
            status: `history` (B, H, 3) poses in the present ego frame, `velocity` (B, H, 2) [m/s], `acceleration`
                (B, H, 2) [m/s^2], `command` (B, H) integers, `history_valid` (B, H).
        """
        valid = status["history_valid"].to(status["history"].dtype)
        known = torch.ones_like(valid[:, :1])
        if self.training and self.past_dropout > 0:
            known = (torch.rand_like(known) >= self.past_dropout).to(valid.dtype)
        present = torch.zeros_like(valid)
        present[:, -1] = 1.0
        valid = torch.maximum(valid * known, present)
        features = torch.cat(
            [
                encode_pose(status["history"], _HISTORY_REACH),
                status["velocity"] / _SPEED_SCALE,
                status["acceleration"] / _ACCELERATION_SCALE * known[..., None],
                functional.one_hot(status["command"].long(), NUM_COMMANDS).to(valid.dtype),
                torch.ones_like(valid)[..., None],
            ],
            dim=-1,
        )
        return self.layers((features * valid[..., None]).flatten(1))
