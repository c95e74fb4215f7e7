"""VADv2: cameras and ego status in, a probability for every plan of a vocabulary out.

B batch, Q frames of a clip (oldest first), N cameras, K plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from algengine.models.bev.projection import CameraRig, CameraViews
from algengine.registry import MODELS
from algengine.structures.planning_sample import PlanningDataSample

# The registry makes MMCV importable first.
from mmdet3d.models.detectors.base import Base3DDetector  # isort: skip

_STATUS = ("history", "velocity", "acceleration", "command", "history_valid")


@MODELS.register_module()
class VADv2(Base3DDetector):
    """Image backbone, neck, bird's-eye-view encoder and trajectory scoring head.

    A clip is encoded frame by frame, each map feeding the next, and every frame is supervised: no frame is encoded
    twice, and the planner learns to drive with any length of memory, as it must at the start of a rollout.

    Args:
        backbone: image backbone.
        neck: feature pyramid.
        bev_encoder: see `BEVEncoder`.
        head: see `TrajectoryScoringHead`.
        bev_head: optional auxiliary head, see `BEVSegmentationHead`.
        image_size: width and height of the images without padding [px].
        detach_memory: whether gradients stop between frames.
        autocast: dtype name for mixed precision on CUDA, "" for none.
        data_preprocessor: see `PlanningDataPreprocessor`.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        bev_encoder: dict,
        head: dict,
        bev_head: dict | None = None,
        image_size: Sequence[int] = (320, 180),
        detach_memory: bool = False,
        autocast: str = "",
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        # Built here, because the base class looks names up in the current default scope.
        prepare = MODELS.build(data_preprocessor or {"type": "PlanningDataPreprocessor"})
        super().__init__(data_preprocessor=prepare, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.bev_encoder = MODELS.build(bev_encoder)
        self.head = MODELS.build(head)
        self.bev_head = MODELS.build(bev_head) if bev_head else None
        self.image_size = (image_size[0], image_size[1])
        self.detach_memory = detach_memory
        self.autocast = autocast

    def extract_feat(self, batch_inputs: Tensor) -> list[Tensor]:
        """Return L maps (B, N, C, h, w) of normalised, padded images (B, N, 3, H, W)."""
        batch, cameras = batch_inputs.shape[:2]
        features = self.neck(self.backbone(batch_inputs.flatten(0, 1)))
        return [f.reshape(batch, cameras, *f.shape[1:]) for f in features]

    def view(self, inputs: dict[str, Tensor], padded_size: tuple[int, int]) -> CameraViews:
        """Return which cells each camera sees; calibrations are constant over a clip.

        Args:
            inputs: with `intrinsic` (B, N, 3, 3), `cam_from_ego` (B, N, 4, 4) and `distortion` (B, N, 5).
            padded_size: width and height of the padded images [px].
        """
        rig = CameraRig(
            inputs["intrinsic"], inputs["cam_from_ego"], inputs["distortion"], self.image_size, padded_size
        )
        return self.bev_encoder.view(rig)

    def encode_clip(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the maps (B, C, rows, cols) of all Q frames.

        Args:
            inputs: `images` (B, Q, N, 3, H, W), calibrations, `motion` (B, Q, 3).
        """
        images = inputs["images"]
        views = self.view(inputs, (images.shape[-1], images.shape[-2]))
        features = self.extract_feat(images.flatten(0, 1))
        frames = images.shape[1]
        features = [f.reshape(-1, frames, *f.shape[1:]) for f in features]
        maps: list[Tensor] = []
        for q in range(frames):
            previous = maps[-1] if maps else None
            if previous is not None and self.detach_memory:
                previous = previous.detach()
            maps.append(
                self.bev_encoder([f[:, q] for f in features], views, previous, inputs["motion"][:, q])
            )
        return maps

    def _forward(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample] | None = None
    ) -> Tensor:
        """Return imitation logits (B, Q, K)."""
        maps = self.encode_clip(batch_inputs)
        return self._score(maps, batch_inputs)

    def _score(self, maps: list[Tensor], inputs: dict[str, Tensor]) -> Tensor:
        batch, frames = inputs["history"].shape[:2]
        status = {key: inputs[key].flatten(0, 1) for key in _STATUS}
        return self.head(torch.stack(maps, dim=1).flatten(0, 1), status).reshape(batch, frames, -1)

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample]
    ) -> dict[str, Tensor]:
        """Return losses and log values over all frames of all clips."""
        with self._precision(batch_inputs["images"].device):
            maps = self.encode_clip(batch_inputs)
            logits = self._score(maps, batch_inputs)
            driven = torch.stack([s.gt_trajectory for s in batch_data_samples]).flatten(0, 1)
            valid = torch.stack([s.gt_valid for s in batch_data_samples]).flatten(0, 1)
            losses = self.head.loss(logits.flatten(0, 1), driven, valid)
            if self.bev_head is not None and "bev_labels" in batch_inputs:
                stacked = torch.stack(maps, dim=1).flatten(0, 1)
                losses |= self.bev_head.loss(stacked, batch_inputs["bev_labels"].flatten(0, 1))
        return losses

    def predict(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample]
    ) -> list[PlanningDataSample]:
        """Return the samples with predictions for all their frames."""
        with self._precision(batch_inputs["images"].device):
            logits = self._forward(batch_inputs)
        for sample, one in zip(batch_data_samples, logits, strict=True):
            sample.pred_scores, sample.pred_index, sample.pred_trajectory = self.head.predict(one)
        return list(batch_data_samples)

    def _precision(self, device: torch.device) -> AbstractContextManager:
        if self.autocast and device.type == "cuda":
            return torch.autocast("cuda", dtype=getattr(torch, self.autocast))
        return nullcontext()
