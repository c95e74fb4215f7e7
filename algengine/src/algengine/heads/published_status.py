"""The ego status embedding of the published planner, for its weights; `ego_status` is the one to train with.

Steps are embedded one by one and max-pooled, so their order is lost, and the present step is multiplied by zero before
that, so it never counts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.heads.ego_status import NUM_COMMANDS
from algengine.models.layers.published_code import PUBLISHED_POSE_CODE_SIZE, encode_pose_published


class PublishedStatusEmbedding(nn.Module):
    """Embeds past commands and poses.

    Args:
        dims: size of the embedding.
        steps: history steps H, the last of which is now.
    """

    def __init__(self, dims: int, steps: int = 4) -> None:
        super().__init__()
        self.steps = steps
        self.embed = nn.Sequential(
            nn.Linear(NUM_COMMANDS + PUBLISHED_POSE_CODE_SIZE, dims), nn.ReLU(inplace=True)
        )

    def forward(self, status: dict[str, Tensor]) -> Tensor:
        """Return embeddings (B, dims); arguments as `EgoStatusEmbedding.forward`'s, of which motion is not used."""
        history = status["history"]
        commands = functional.one_hot(status["command"].long(), NUM_COMMANDS).to(history.dtype)
        steps = self.embed(torch.cat([commands, encode_pose_published(history)], dim=-1))
        mask = status["history_valid"].to(steps.dtype).clone()
        mask[:, -1] = 0.0
        return (steps * mask[..., None]).amax(dim=1)
