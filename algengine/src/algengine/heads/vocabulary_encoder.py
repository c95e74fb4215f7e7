"""Embedding of the plan vocabulary; it depends on the weights only, so it is computed once for inference."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers.feed_forward import FeedForward
from algengine.models.layers.position_code import POSE_CODE_SIZE, encode_pose
from algengine.models.layers.published_code import PUBLISHED_POSE_CODE_SIZE, encode_pose_published


class VocabularyEncoder(nn.Module):
    """Embeds each plan, then lets all plans see each other in one transformer layer.

    Args:
        dims: size of the embedding.
        poses: poses per plan.
        heads: attention heads.
        reach: largest coordinate of a plan that must stay distinguishable [m].
        hidden: width of the embedding's hidden layer, twice `dims` unless given.
        compat: the published code of poses, which does not know `reach`.
    """

    def __init__(
        self,
        dims: int,
        poses: int,
        heads: int = 4,
        reach: float = 80.0,
        hidden: int | None = None,
        compat: bool = False,
    ) -> None:
        super().__init__()
        self.heads, self.reach, self.compat = heads, reach, compat
        hidden = hidden or 2 * dims
        code_size = PUBLISHED_POSE_CODE_SIZE if compat else POSE_CODE_SIZE
        self.embed = nn.Sequential(
            nn.Linear(poses * code_size, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, dims)
        )
        self.qkv = nn.Linear(dims, 3 * dims, bias=False)
        self.output = nn.Linear(dims, dims, bias=False)
        self.norm = nn.LayerNorm(dims)
        self.feed_forward = FeedForward(dims, 4 * dims)

    def forward(self, vocabulary: Tensor) -> Tensor:
        """Return embeddings (K, dims) of plans (K, T, 3)."""
        codes = encode_pose_published(vocabulary) if self.compat else encode_pose(vocabulary, self.reach)
        tokens = self.embed(codes.flatten(1))
        split = self.qkv(tokens).reshape(len(tokens), 3, self.heads, -1).permute(1, 2, 0, 3)  # 3, M, K, d
        mixed = functional.scaled_dot_product_attention(*(part[None] for part in split))[0]  # M, K, d
        mixed = mixed.transpose(0, 1).reshape(len(tokens), -1)
        return self.feed_forward(self.norm(tokens + self.output(mixed)))
