"""Scores every plan of a fixed vocabulary against a bird's-eye-view map and the ego status.

B batch, K plans, T poses per plan, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from algengine.heads.ego_status import EgoStatusEmbedding
from algengine.heads.trajectory_decoder import TrajectoryDecoderLayer
from algengine.heads.vocabulary_encoder import VocabularyEncoder
from algengine.losses.imitation import hard_imitation, masked_mean, soft_imitation, trajectory_distance
from algengine.models.bev.grid import BEVGrid
from algengine.registry import MODELS


@MODELS.register_module()
class TrajectoryScoringHead(BaseModule):
    """Imitation logits over a vocabulary.

    Args:
        vocabulary_size: K.
        num_poses: T.
        dims: channels of queries and map.
        heads: attention heads.
        num_layers: decoder layers.
        steps: poses along each plan at which the map is read.
        points: reads per head and step.
        x_range: extent of the map along x [m].
        y_range: extent of the map along y [m].
        cell: edge of a map cell [m].
        soft: whether the target is soft (see `soft_imitation`) or the nearest plan.
        temperature: of the soft target [m].
        label_smoothing: of the hard target.
        min_valid: recorded poses that a future needs to count.
        past_dropout: see `EgoStatusEmbedding`.
        dropout: dropout in the decoder.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_poses: int = 40,
        dims: int = 64,
        heads: int = 4,
        num_layers: int = 2,
        steps: int = 8,
        points: int = 2,
        x_range: Sequence[float] = (-12.8, 57.6),
        y_range: Sequence[float] = (-25.6, 25.6),
        cell: float = 1.28,
        soft: bool = True,
        temperature: float = 1.0,
        label_smoothing: float = 0.2,
        min_valid: int = 40,
        past_dropout: float = 0.0,
        dropout: float = 0.1,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        grid = BEVGrid(tuple(x_range), tuple(y_range), cell)
        self.soft, self.temperature, self.label_smoothing = soft, temperature, label_smoothing
        self.min_valid, self.stride = min_valid, num_poses // steps
        self.register_buffer("vocabulary", torch.zeros(vocabulary_size, num_poses, 3))
        self.status = EgoStatusEmbedding(dims, past_dropout=past_dropout)
        self.encoder = VocabularyEncoder(dims, num_poses, heads)
        self.decoder = nn.ModuleList(
            TrajectoryDecoderLayer(dims, heads, steps, points, grid, dropout) for _ in range(num_layers)
        )
        self.imitation = nn.Sequential(
            nn.Linear(dims, 2 * dims),
            nn.ReLU(inplace=True),
            nn.Linear(2 * dims, 2 * dims),
            nn.ReLU(inplace=True),
            nn.Linear(2 * dims, 1),
        )
        self._cached: Tensor | None = None

    def train(self, mode: bool = True) -> TrajectoryScoringHead:
        """Switch modes as usual; leaving or entering training forgets the cached embedding."""
        self._cached = None
        return super().train(mode)

    def embed_vocabulary(self) -> Tensor:
        """Return the vocabulary's embedding (K, C); computed once while evaluating."""
        if self.training or torch.is_grad_enabled():
            return self.encoder(self.vocabulary)
        if self._cached is None or self._cached.device != self.vocabulary.device:
            self._cached = self.encoder(self.vocabulary)
        return self._cached

    def forward(self, bev: Tensor, status: dict[str, Tensor]) -> Tensor:
        """Return imitation logits (B, K).

        Args:
            bev: (B, C, rows, cols).
            status: see `EgoStatusEmbedding.forward`.
        """
        query = self.embed_vocabulary()[None] + self.status(status)[:, None]
        anchors = self.vocabulary[:, self.stride - 1 :: self.stride]
        for layer in self.decoder:
            query = layer(query, bev, anchors)
        # Scores of similar plans differ by little: the last layers stay in single precision under autocast.
        with torch.autocast(query.device.type, enabled=False):
            return self.imitation(query.float())[..., 0]

    def loss(self, logits: Tensor, driven: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Return the imitation loss and, for the log, how often the nearest plan is chosen.

        Args:
            logits: (B, K).
            driven: (B, T, 3) driven futures in the ego frame.
            valid: (B, T) recorded poses.
        """
        logits = logits.float()
        distance = trajectory_distance(self.vocabulary, driven, valid, self.stride)
        if self.soft:
            each = soft_imitation(logits, distance, self.temperature)
        else:
            each = hard_imitation(logits, distance, self.label_smoothing)
        counts = valid.sum(-1) >= self.min_valid
        with torch.no_grad():
            nearest = (logits.argmax(-1) == distance.argmin(-1)).float()
            gap = distance.gather(1, logits.argmax(-1, keepdim=True))[:, 0] / (driven.shape[1] // self.stride)
        return {
            "loss_imitation": masked_mean(each, counts),
            "top1": masked_mean(nearest, counts),
            "ade": masked_mean(gap, counts),
        }

    def predict(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores (B, K), chosen rows (B,) and their plans (B, T, 3)."""
        scores = torch.log_softmax(logits.float(), dim=-1)
        index = scores.argmax(-1)
        return scores, index, self.vocabulary[index]
