"""VADv2 and HydraMDP: cameras and ego status in, a score for every plan of a vocabulary out.

B batch, Q frames of a clip (oldest first), N cameras, K plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from algengine.checkpoints.original import adopt_original
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.models.bev.can_bus import can_bus_from_motion
from algengine.models.bev.projection import CameraRig, CameraViews
from algengine.planners.history import as_at_inference
from algengine.registry import MODELS
from algengine.structures.planning_sample import PlanningDataSample
from simengine.errors import ConfigError

# The registry makes MMCV importable first.
from mmdet3d.models.detectors.base import Base3DDetector  # isort: skip

FRAME_DT = 0.5
"""Time between frames [s]."""

_STATUS = ("history", "velocity", "acceleration", "command", "history_valid")


@MODELS.register_module()
class VADv2(Base3DDetector):
    """Image backbone, neck, bird's-eye-view encoder and trajectory scoring head.

    A clip is encoded frame by frame, each map feeding the next; no frame is encoded twice. With `supervised="all"`
    every frame is supervised, and the planner learns to drive with any length of memory, as it must at the start of a
    rollout. With `supervised="last"` only the last frame is, and those before it are encoded as at inference, which
    takes a fraction of the memory.

    A head with sub-scores makes it HydraMDP.

    Args:
        backbone: image backbone.
        neck: feature pyramid.
        bev_encoder: see `BEVEncoder`.
        head: see `TrajectoryScoringHead`.
        bev_head: optional auxiliary head, see `BEVSegmentationHead`.
        image_size: width and height of the images without padding [px].
        detach_memory: whether gradients stop between frames.
        supervised: `all` frames of a clip or the `last`.
        frozen: parts that do not learn, of `backbone`, `neck`, `bev_encoder`; they stay in evaluation mode.
        compat: the published arithmetic in encoder and head, for published weights; see there. Inputs should then
            have `can_bus` or `heading`, and statistics of frozen parts drift while training.
        deformable: form of deformable sampling, see `choose_form`.
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
        supervised: str = "all",
        frozen: Sequence[str] = (),
        compat: bool = False,
        deformable: str = "auto",
        autocast: str = "",
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if supervised not in ("all", "last"):
            raise ConfigError(f"supervised is {supervised!r}, expected 'all' or 'last'")
        # Built here, because the base class looks names up in the current default scope.
        prepare = MODELS.build(data_preprocessor or {"type": "PlanningDataPreprocessor"})
        super().__init__(data_preprocessor=prepare, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        shared = {"compat": compat, "deformable": deformable}
        self.bev_encoder = MODELS.build(shared | bev_encoder)
        self.head = MODELS.build(shared | head)
        self.bev_head = MODELS.build(bev_head) if bev_head else None
        self.image_size = (image_size[0], image_size[1])
        self.detach_memory = detach_memory
        self.supervised, self.frozen, self.compat = supervised, tuple(frozen), compat
        self.autocast = autocast
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        self.register_load_state_dict_pre_hook(adopt_original)

    def train(self, mode: bool = True) -> VADv2:
        """Switch modes as usual; frozen parts stay in evaluation mode, except that `compat` lets statistics drift."""
        super().train(mode)
        if not self.compat:
            for name in self.frozen:
                self.get_submodule(name).eval()
        return self

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

    def encode_frame(
        self,
        features: list[Tensor],
        views: CameraViews,
        previous: Tensor | None,
        motion: Tensor | None,
        status: dict[str, Tensor],
    ) -> Tensor:
        """Return the map (B, C, rows, cols) of one frame.

        Args:
            features: L maps (B, N, C, h, w).
            views: result of `view`.
            previous: (B, C, rows, cols) map of the previous frame, or None.
            motion: (B, 3) present ego pose in the previous ego frame; needed with `previous`.
            status: ego status of this frame, see `EgoStatusEmbedding.forward`; in `compat` also `can_bus` (B, 18),
                or `heading` (B,) to make it from.
        """
        can_bus = None
        if self.bev_encoder.can_bus is not None:
            can_bus = status.get("can_bus") if self.compat else None
        if self.bev_encoder.can_bus is not None and can_bus is None:
            can_bus = can_bus_from_motion(
                None if previous is None else motion,
                status["velocity"][:, -1],
                status["acceleration"][:, -1],
                FRAME_DT,
                status.get("heading") if self.compat else None,
            )
        return self.bev_encoder(features, views, previous, motion, can_bus)

    def encode_clip(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the maps (B, C, rows, cols) of the supervised frames: all Q, or the last.

        Args:
            inputs: `images` (B, Q, N, 3, H, W), calibrations, `motion` (B, Q, 3), ego status (B, Q, ...).
        """
        images = inputs["images"]
        views = self.view(inputs, (images.shape[-1], images.shape[-2]))
        if self.supervised == "all":
            return self._encode_frames(inputs, views, range(images.shape[1]), None)
        last = images.shape[1] - 1
        with as_at_inference(self):
            past = self._encode_frames(inputs, views, range(last), None)
        return self._encode_frames(inputs, views, range(last, last + 1), past[-1] if past else None)

    def _encode_frames(
        self, inputs: dict[str, Tensor], views: CameraViews, frames: range, previous: Tensor | None
    ) -> list[Tensor]:
        """Return the maps of consecutive frames; their images go through the backbone together."""
        if not frames:
            return []
        images = inputs["images"][:, frames.start : frames.stop]
        features = self.extract_feat(images.flatten(0, 1))
        features = [f.reshape(len(images), len(frames), *f.shape[1:]) for f in features]
        maps: list[Tensor] = []
        for i, q in enumerate(frames):
            if previous is not None and self.detach_memory:
                previous = previous.detach()
            status = {key: inputs[key][:, q] for key in (*_STATUS, "can_bus", "heading") if key in inputs}
            moved = inputs["motion"][:, q]
            previous = self.encode_frame([f[:, i] for f in features], views, previous, moved, status)
            maps.append(previous)
        return maps

    def _forward(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample] | None = None
    ) -> Tensor:
        """Return scores (B, Q, K) of the supervised frames."""
        scores = self.head.scores(self.logits(batch_inputs))
        return scores.unflatten(0, (len(batch_inputs["images"]), -1))

    def logits(self, batch_inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the head's logits (B * Q, K) of the supervised frames by name, see its `forward`."""
        with self._precision(batch_inputs["images"].device):
            return self._score(self.encode_clip(batch_inputs), batch_inputs)

    def _score(self, maps: list[Tensor], inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the head's outputs (B * Q, K) for the last Q frames."""
        status = {key: inputs[key][:, -len(maps) :].flatten(0, 1) for key in _STATUS}
        return self.head(torch.stack(maps, dim=1).flatten(0, 1), status)

    def loss(
        self, batch_inputs: dict[str, Tensor], batch_data_samples: Sequence[PlanningDataSample]
    ) -> dict[str, Tensor]:
        """Return losses and log values over the supervised frames of all clips."""
        with self._precision(batch_inputs["images"].device):
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

    def _precision(self, device: torch.device) -> AbstractContextManager:
        if self.autocast and device.type == "cuda":
            return torch.autocast("cuda", dtype=getattr(torch, self.autocast))
        return nullcontext()
