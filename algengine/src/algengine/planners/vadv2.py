"""VADv2 and HydraMDP: cameras and ego status in, a score for every plan of a vocabulary out.

B batch, Q frames of a clip (oldest first), N cameras, K plans.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from algengine.datasets.frames import STATUS
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.planners.bev_model import BEVModel
from algengine.planners.history import as_at_inference
from algengine.registry import MODELS
from algengine.structures.planning_sample import PlanningDataSample
from simengine.errors import ConfigError


@MODELS.register_module()
class VADv2(BEVModel):
    """A `BEVModel` with a trajectory scoring head.

    A clip is encoded frame by frame, each map feeding the next; no frame is encoded twice. With `supervised="all"`
    every frame is supervised, and the planner learns to drive with any length of memory, as it must at the start of a
    rollout. With `supervised="last"` only the last frame is, and those before it are encoded as at inference, which
    takes a fraction of the memory.

    A head with sub-scores makes it HydraMDP.

    With `compat` encoder and head compute as published, for published weights; see there. Inputs should then have
    `can_bus` or `heading`, and statistics of frozen parts drift while training.

    Args:
        head: see `TrajectoryScoringHead`.
        bev_head: optional auxiliary head, see `BEVSegmentationHead`.
        supervised: `all` frames of a clip or the `last`.
        options: those of `BEVModel`.
    """

    def __init__(
        self, head: dict, bev_head: dict | None = None, supervised: str = "all", **options: object
    ) -> None:
        if supervised not in ("all", "last"):
            raise ConfigError(f"supervised is {supervised!r}, expected 'all' or 'last'")
        super().__init__(**options)
        shared = {"compat": self.compat, "deformable": options.get("deformable", "auto")}
        self.head = MODELS.build(shared | head)
        self.bev_head = MODELS.build(bev_head) if bev_head else None
        self.supervised = supervised

    def encode_clip(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the maps (B, C, rows, cols) of the supervised frames: all Q, or the last.

        Args:
            inputs: `images` (B, Q, N, 3, H, W), calibrations, `motion` (B, Q, 3), ego status (B, Q, ...); or `maps`
                (B, Q, C, rows, cols) instead of images.
        """
        if self.supervised == "all":
            return super().encode_clip(inputs)
        if "maps" in inputs:
            return super().encode_clip(inputs)[-1:]
        images = inputs["images"]
        views = self.view(inputs, (images.shape[-1], images.shape[-2]))
        last = images.shape[1] - 1
        with as_at_inference(self):
            past = self.encode_frames(inputs, views, range(last), None)
        return self.encode_frames(inputs, views, range(last, last + 1), past[-1] if past else None)

    def _forward(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample] | None = None
    ) -> Tensor:
        """Return scores (B, Q, K) of the supervised frames."""
        scores = self.head.scores(self.logits(batch_inputs))
        return scores.unflatten(0, (len(batch_inputs["motion"]), -1))

    def logits(self, batch_inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the head's logits (B * Q, K) of the supervised frames by name, see its `forward`."""
        with self.precision(batch_inputs["motion"].device):
            return self._score(self.encode_clip(batch_inputs), batch_inputs)

    def _score(self, maps: list[Tensor], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the head's outputs (B * Q, K) for the last Q frames."""
        status = {key: inputs[key][:, -len(maps) :].flatten(0, 1) for key in STATUS}
        return self.head(torch.stack(maps, dim=1).flatten(0, 1), status)

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample]
    ) -> dict[str, Tensor]:
        """Return losses and log values over the supervised frames of all clips."""
        with self.precision(batch_inputs["motion"].device):
            maps = self.encode_clip(batch_inputs)
            outputs = self._score(maps, batch_inputs)
            frames = slice(-len(maps), None)
            driven = torch.stack([s.gt_trajectory[frames] for s in batch_data_samples]).flatten(0, 1)
            valid = torch.stack([s.gt_valid[frames] for s in batch_data_samples]).flatten(0, 1)
            losses = self.head.loss(outputs, driven, valid, self._sub_scores(batch_data_samples, frames))
            if self.bev_head is not None and "bev_labels" in batch_inputs:
                stacked = torch.stack(maps, dim=1).flatten(0, 1)
                losses |= self.bev_head.loss(stacked, batch_inputs["bev_labels"][:, frames].flatten(0, 1))
        return losses

    def predict(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample]
    ) -> list[PlanningDataSample]:
        """Return the samples with predictions for their supervised frames."""
        outputs = self.logits(batch_inputs)
        clips = [x.unflatten(0, (len(batch_data_samples), -1)) for x in self.head.predict(outputs)]
        for sample, scores, index, plans in zip(batch_data_samples, *clips, strict=True):
            sample.pred_scores, sample.pred_index, sample.pred_trajectory = scores, index, plans
        return list(batch_data_samples)

    @staticmethod
    def _sub_scores(samples: Sequence[PlanningDataSample], frames: slice) -> dict[str, Tensor] | None:
        """Return true sub-scores (B * Q, K) by name, from `gt_sub_scores` (Q, len(SUB_SCORES), K) of the samples."""
        if not all("gt_sub_scores" in sample for sample in samples):
            return None
        stacked = torch.stack([sample.gt_sub_scores[frames] for sample in samples]).flatten(0, 1)
        return dict(zip(SUB_SCORES, stacked.unbind(1), strict=True))
