"""Scores every plan of a fixed vocabulary against a bird's-eye-view map and the ego status.

B batch, K plans, T poses per plan, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from algengine.heads.ego_status import EgoStatusEmbedding
from algengine.heads.published_status import PublishedStatusEmbedding
from algengine.heads.sub_score_heads import SUB_SCORES, Ranking, SubScoreHeads, combine_scores
from algengine.heads.trajectory_decoder import TrajectoryDecoderLayer
from algengine.heads.vocabulary_encoder import VocabularyEncoder
from algengine.losses.distillation import distill_sub_scores
from algengine.losses.imitation import hard_imitation, masked_mean, soft_imitation, trajectory_distance
from algengine.models.bev.grid import BEVGrid
from algengine.registry import MODELS
from simengine.errors import ConfigError

IMITATION = "imitation"
"""Name of the imitation logits among the outputs."""


@MODELS.register_module()
class TrajectoryScoringHead(BaseModule):
    """Imitation logits over a vocabulary (VADv2) and, if asked for, sub-scores of each plan (HydraMDP).

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
        hidden: width of the hidden layers of embedding and heads, twice `dims` unless given.
        sub_scores: whether the PDM sub-scores of each plan are predicted and rank the plans, see `combine_scores`.
        ranking: weights of that combination, arguments of `Ranking`.
        compat: the published arithmetic: aliasing position code, present status masked out, map read around the end
            of each plan only.
        deformable: see `choose_form`.
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
        hidden: int | None = None,
        sub_scores: bool = False,
        ranking: Mapping[str, float] | None = None,
        compat: bool = False,
        deformable: str = "auto",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        grid = BEVGrid(tuple(x_range), tuple(y_range), cell)
        self.soft, self.temperature, self.label_smoothing = soft, temperature, label_smoothing
        self.min_valid, self.stride = min_valid, num_poses // steps
        self.register_buffer("vocabulary", torch.zeros(vocabulary_size, num_poses, 3))
        if compat:
            self.status: nn.Module = PublishedStatusEmbedding(dims)
        else:
            self.status = EgoStatusEmbedding(dims, past_dropout=past_dropout)
        self.encoder = VocabularyEncoder(dims, num_poses, heads, hidden=hidden, compat=compat)
        self.decoder = nn.ModuleList(
            TrajectoryDecoderLayer(dims, heads, steps, points, grid, dropout, compat, deformable)
            for _ in range(num_layers)
        )
        hidden = hidden or 2 * dims
        self.imitation = nn.Sequential(
            nn.Linear(dims, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 1),
        )
        self.sub_scores = SubScoreHeads(dims, hidden, SUB_SCORES) if sub_scores else None
        self.ranking = Ranking(**(ranking or {}))
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

    def forward(self, bev: Tensor, status: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return logits (B, K): `imitation` and, with `sub_scores`, each of `SUB_SCORES`.

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
            query = query.float()
            outputs = {IMITATION: self.imitation(query)[..., 0]}
            return outputs if self.sub_scores is None else outputs | self.sub_scores(query)

    def loss(
        self,
        outputs: dict[str, Tensor],
        driven: Tensor,
        valid: Tensor,
        sub_scores: dict[str, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Return the losses and, for the log, how often the nearest plan is the likeliest.

        Args:
            outputs: result of `forward`.
            driven: (B, T, 3) driven futures in the ego frame.
            valid: (B, T) recorded poses; a sample with fewer than `min_valid` is not imitated.
            sub_scores: (B, K) true sub-scores, needed with `sub_scores` heads; a sample with a NaN among them does
                not teach these heads.
        """
        logits = outputs[IMITATION].float()
        distance = trajectory_distance(self.vocabulary, driven, valid, self.stride)
        if self.soft:
            each = soft_imitation(logits, distance, self.temperature)
        else:
            each = hard_imitation(logits, distance.argmin(-1), self.label_smoothing)
        counts = valid.sum(-1) >= self.min_valid
        with torch.no_grad():
            nearest = (logits.argmax(-1) == distance.argmin(-1)).float()
            gap = distance.gather(1, logits.argmax(-1, keepdim=True))[:, 0] / (driven.shape[1] // self.stride)
        losses = {
            "loss_imitation": masked_mean(each, counts),
            "top1": masked_mean(nearest, counts),
            "ade": masked_mean(gap, counts),
        }
        if self.sub_scores is not None:
            if sub_scores is None:
                raise ConfigError(
                    "the head predicts sub-scores but the samples have none: give the dataset a score cache "
                    "(`algengine cache`) or recorded scores (`rewards.vocabulary`), or set model.head.sub_scores=False"
                )
            known = ~torch.stack([value.isnan().any(-1) for value in sub_scores.values()]).any(0)
            targets = {name: value.nan_to_num() for name, value in sub_scores.items()}
            losses |= distill_sub_scores({name: outputs[name] for name in self.sub_scores}, targets, known)
        return losses

    def scores(self, outputs: dict[str, Tensor]) -> Tensor:
        """Return the scores (B, K) that rank the plans; of VADv2 the log-probabilities."""
        names = self.sub_scores or ()
        return combine_scores(outputs[IMITATION], {name: outputs[name] for name in names}, self.ranking)

    def predict(self, outputs: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores (B, K), chosen rows (B,) and their plans (B, T, 3)."""
        scores = self.scores(outputs)
        index = scores.argmax(-1)
        return scores, index, self.vocabulary[index]
