"""The forward pass of one decision, in pieces that can be kept, compiled or recorded.

B batch, N cameras, L feature levels, C channels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from algengine.datasets.frames import CALIBRATION
from algengine.engine.layout import compile_parts, prefer_channels_last
from algengine.models.bev.projection import CameraViews
from algengine.planners.vadv2 import VADv2
from algengine.serving.recorded import RecordedCall
from simengine.errors import ConfigError

ACCELERATIONS = ("none", "graphs", "compile")

_KEPT_RIGS = 16


class FrameNetwork:
    """A planner's network at inference: in its own precision, with everything constant computed once.

    The embedding of the vocabulary depends on the weights only and is made here; which cell is seen by which camera
    depends on the calibration only and is kept for the last rigs.

    Args:
        model: the network; it is put into evaluation mode on `device`, and its weights stop asking for gradients.
        device: where to compute.
        accelerate: `none`; `graphs` records the image backbone as a CUDA graph, which saves the time of launching its
            kernels; `compile` gives backbone, encoder layers and head to `torch.compile`, which makes the first
            decisions slow. `graphs` does nothing on the CPU.
        backend: of `torch.compile`.

    Raises:
        ConfigError: `accelerate` is unknown.
    """

    def __init__(
        self, model: VADv2, device: torch.device, accelerate: str = "none", backend: str = "inductor"
    ) -> None:
        if accelerate not in ACCELERATIONS:
            raise ConfigError(f"accelerate is {accelerate!r}, expected one of {', '.join(ACCELERATIONS)}")
        self.device = device
        self.model = model.to(device).eval().requires_grad_(False)
        self._rigs: OrderedDict[bytes, CameraViews] = OrderedDict()
        if device.type == "cuda":
            prefer_channels_last(model)
        with torch.inference_mode(), self.precision():
            model.head.embed_vocabulary()
        if accelerate == "compile":
            layers = (f"bev_encoder.layers.{i}" for i in range(len(model.bev_encoder.layers)))
            compile_parts(model, ("backbone", "neck", *layers, "head"), backend)
        seen: Callable[[Tensor], list[Tensor]] = self._features
        self._seen = RecordedCall(seen) if accelerate == "graphs" and device.type == "cuda" else seen

    def precision(self) -> AbstractContextManager:
        """Return the context that the model was trained in: autocast on CUDA, if it asks for it."""
        return self.model.precision(self.device)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return L maps (B, N, C, h, w) of images (B, N, H, W, 3) uint8; valid until the next call."""
        return self._seen(images)

    def views(self, inputs: dict[str, Tensor], keys: list[bytes], image_size: tuple[int, int]) -> CameraViews:
        """Return which cells each camera sees.

        Args:
            inputs: calibrations, see `VADv2.view`.
            keys: one for each sample, equal for equal calibrations only.
            image_size: width and height of the images [px].
        """
        divisor = self.model.data_preprocessor.pad_divisor
        padded = tuple(-(-size // divisor) * divisor for size in image_size)
        if len(set(keys)) > 1:
            return self.model.view(inputs, padded)
        if keys[0] not in self._rigs:
            self._rigs[keys[0]] = self.model.view({k: inputs[k][:1] for k in CALIBRATION}, padded)
            if len(self._rigs) > _KEPT_RIGS:
                self._rigs.popitem(last=False)
        self._rigs.move_to_end(keys[0])
        rig = self._rigs[keys[0]]
        return rig if len(keys) == 1 else rig.repeat(len(keys))

    def encode(
        self,
        features: list[Tensor],
        views: CameraViews,
        previous: Tensor | None,
        motion: Tensor | None,
        status: dict[str, Tensor],
    ) -> Tensor:
        """Return the map (B, C, rows, cols); see `VADv2.encode_frame`."""
        return self.model.encode_frame(features, views, previous, motion, status)

    def predict(self, bev: Tensor, status: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return scores (B, K), chosen rows (B,) and their plans (B, T, 3)."""
        head = self.model.head
        return head.predict(head(bev, status))

    def _features(self, images: Tensor) -> list[Tensor]:
        return self.model.extract_feat(self.model.data_preprocessor.normalize(images))
