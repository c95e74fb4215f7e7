"""What models of camera clips share: images in, one bird's-eye-view map per frame out, each frame encoded once.

B batch, Q frames of a clip (oldest first), N cameras.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Self

import torch
from torch import Tensor

from algengine.checkpoints.original import adopt_original
from algengine.models.bev.can_bus import can_bus_from_motion
from algengine.models.bev.projection import CameraRig, CameraViews
from algengine.registry import MODELS

# The registry makes MMCV importable first.
from mmdet3d.models.detectors.base import Base3DDetector  # isort: skip

FRAME_DT = 0.5
"""Time between frames [s]."""


class BEVModel(Base3DDetector):
    """Image backbone, neck and bird's-eye-view encoder; what is read off the maps is for the models to say.

    Args:
        backbone: image backbone.
        neck: feature pyramid.
        bev_encoder: see `BEVEncoder`.
        image_size: width and height of the images without padding [px].
        detach_memory: whether gradients stop between frames.
        frozen: parts that do not learn, of `backbone`, `neck`, `bev_encoder`; they stay in evaluation mode.
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
        image_size: Sequence[int],
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

    def encode_clip(self, inputs: dict[str, Tensor]) -> list[Tensor]:
        """Return the maps (B, C, rows, cols) of all Q frames.

        Args:
            inputs: `images` (B, Q, N, 3, H, W), calibrations (B, N, ...), `motion` (B, Q, 3), and for encoders with
                `can_bus` that vector (B, Q, 18), or `velocity` and `acceleration` (B, Q, H, 2).
        """
        images = inputs["images"]
        views = self._view(inputs, (images.shape[-1], images.shape[-2]))
        features = [f.unflatten(0, images.shape[:2]) for f in self.extract_feat(images.flatten(0, 1))]
        maps: list[Tensor] = []
        for q in range(images.shape[1]):
            previous = maps[-1] if maps else None
            if previous is not None and self.detach_memory:
                previous = previous.detach()
            can_bus = self._can_bus(inputs, q)
            frame = [f[:, q] for f in features]
            maps.append(self.bev_encoder(frame, views, previous, inputs["motion"][:, q], can_bus))
        return maps

    def precision(self, device: torch.device) -> AbstractContextManager:
        """Return the context in which the model computes on a device."""
        if self.autocast and device.type == "cuda":
            return torch.autocast("cuda", dtype=getattr(torch, self.autocast))
        return nullcontext()

    def _view(self, inputs: dict[str, Tensor], padded_size: tuple[int, int]) -> CameraViews:
        """Return which cells each camera sees; calibrations are constant over a clip."""
        rig = CameraRig(
            inputs["intrinsic"], inputs["cam_from_ego"], inputs["distortion"], self.image_size, padded_size
        )
        return self.bev_encoder.view(rig)

    def _can_bus(self, inputs: dict[str, Tensor], q: int) -> Tensor | None:
        if self.bev_encoder.can_bus is None:
            return None
        if self.compat and "can_bus" in inputs:
            return inputs["can_bus"][:, q]
        return can_bus_from_motion(
            inputs["motion"][:, q] if q else None,
            inputs["velocity"][:, q, -1],
            inputs["acceleration"][:, q, -1],
            FRAME_DT,
            inputs["heading"][:, q] if self.compat and "heading" in inputs else None,
        )
