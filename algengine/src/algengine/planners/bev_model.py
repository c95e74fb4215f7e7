"""What models of camera clips share: images in, one bird's-eye-view map per frame out, each frame encoded once.

B batch, Q frames of a clip (oldest first), N cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Self

import torch
from torch import Tensor

from algengine.checkpoints.original import adopt_original
from algengine.models.bev.can_bus import can_bus_from_motion
from algengine.models.bev.projection import CameraRig, CameraViews
from algengine.models.layers.precision import mixed_precision
from algengine.registry import MODELS

# The registry makes MMCV importable first.
from mmdet3d.models.detectors.base import Base3DDetector  # isort: skip

FRAME_DT = 0.5
"""Time between frames [s]."""

SENSES = ("backbone", "neck", "bev_encoder")
"""Parts that make maps of images; whoever freezes all of them can keep the maps."""

_ENCODED_STATUS = ("velocity", "acceleration", "can_bus", "heading")
"""Inputs that the encoder may want to know of a frame."""


class BEVModel(Base3DDetector):
    """Image backbone, neck and bird's-eye-view encoder; what is read off the maps is for the models to say.

    Args:
        backbone: image backbone.
        neck: feature pyramid.
        bev_encoder: see `BEVEncoder`.
        image_size: width and height of the images without padding [px].
        detach_memory: whether gradients stop between frames.
        frozen: parts that do not learn, of `SENSES`; they stay in evaluation mode.
        compat: the published arithmetic in the encoder, see there.
        deformable: form of deformable sampling, see `choose_form`.
        autocast: dtype name for mixed precision on CUDA, "" for none.
        data_preprocessor: see `PlanningDataPreprocessor`.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        bev_encoder: dict,
        image_size: Sequence[int] = (320, 180),
        detach_memory: bool = False,
        frozen: Sequence[str] = (),
        compat: bool = False,
        deformable: str = "auto",
        autocast: str = "",
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        # Built here, because the base class looks names up in the current default scope.
        prepare = MODELS.build(data_preprocessor or {"type": "PlanningDataPreprocessor"})
        super().__init__(data_preprocessor=prepare, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.bev_encoder = MODELS.build({"compat": compat, "deformable": deformable} | bev_encoder)
        self.image_size = (image_size[0], image_size[1])
        self.detach_memory, self.frozen, self.compat = detach_memory, tuple(frozen), compat
        self.autocast = autocast
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        self.register_load_state_dict_pre_hook(adopt_original)

    def train(self, mode: bool = True) -> Self:
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
            inputs: with `intrinsic` (B, N, 3, 3), `cam_from_ego` (B, N, 4, 4) and `distortion` (B, N, 12).
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
        """Return the maps (B, C, rows, cols) of all Q frames.

        Args:
            inputs: as in `encode_frames` with calibrations, or `maps` (B, Q, C, rows, cols) that were made before.
        """
        if "maps" in inputs:
            return list(inputs["maps"].float().unbind(1))
        images = inputs["images"]
        views = self.view(inputs, (images.shape[-1], images.shape[-2]))
        return self.encode_frames(inputs, views, range(images.shape[1]), None)

    def encode_frames(
        self, inputs: dict[str, Tensor], views: CameraViews, frames: range, previous: Tensor | None
    ) -> list[Tensor]:
        """Return the maps (B, C, rows, cols) of consecutive frames; their images go through the backbone together.

        Args:
            inputs: `images` (B, Q, N, 3, H, W), calibrations, `motion` (B, Q, 3), ego status (B, Q, ...).
            views: result of `view`.
            frames: which of the Q frames.
            previous: map of the frame before them, or None.
        """
        if not frames:
            return []
        images = inputs["images"][:, frames.start : frames.stop]
        features = self.extract_feat(images.flatten(0, 1))
        features = [f.reshape(len(images), len(frames), *f.shape[1:]) for f in features]
        maps: list[Tensor] = []
        for i, q in enumerate(frames):
            if previous is not None and self.detach_memory:
                previous = previous.detach()
            status = {key: inputs[key][:, q] for key in _ENCODED_STATUS if key in inputs}
            moved = inputs["motion"][:, q]
            previous = self.encode_frame([f[:, i] for f in features], views, previous, moved, status)
            maps.append(previous)
        return maps

    def precision(self, device: torch.device) -> AbstractContextManager:
        """Return the context in which the model computes on a device."""
        return mixed_precision(self.autocast, device)
