"""Embedding of the plan vocabulary; it depends on the weights only, so it is computed once for inference."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers.feed_forward import FeedForward
from algengine.models.layers.position_code import POSE_CODE_SIZE, encode_pose


class VocabularyEncoder(nn.Module):
    """Embeds each plan, then lets all plans see each other in one transformer layer.

    Args:
        dims: size of the embedding.
        poses: poses per plan.
        heads: attention heads.
        reach: largest coordinate of a plan that must stay distinguishable [m].
    """

    def __init__(self, dims: int, poses: int, heads: int = 4, reach: float = 80.0) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.embed = nn.Sequential(
            nn.Linear(poses * POSE_CODE_SIZE, 2 * dims), nn.ReLU(inplace=True), nn.Linear(2 * dims, dims)
        )
        self.qkv = nn.Linear(dims, 3 * dims, bias=False)
        self.output = nn.Linear(dims, dims, bias=False)
        self.norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, 4 * dims)

    def forward(self, vocabulary: Tensor) -> Tensor:
        """Return embeddings (K, dims) of plans (K, T, 3)."""
        tokens = self.embed(encode_pose(vocabulary, self.reach).flatten(1))
        split = self.qkv(tokens).reshape(len(tokens), 3, self.heads, -1).permute(1, 2, 0, 3)  # 3, M, K, d
        mixed = functional.scaled_dot_product_attention(*(part[None] for part in split))[0]  # M, K, d
        mixed = mixed.transpose(0, 1).reshape(len(tokens), -1)
        return self.feed_forward(self.norm(tokens + self.output(mixed)))
