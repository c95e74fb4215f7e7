"""Moves a batch to the device and turns bytes into normalised images there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn import functional

from algengine.models.grid_mask import grid_mask
from algengine.models.photometric import change_colours, draw_change
from algengine.registry import MODELS


@MODELS.register_module()
class PlanningDataPreprocessor(BaseDataPreprocessor):
    """Stacks samples, copies them to the device as bytes, then normalises and pads the images.

    Args:
        mean: mean of each channel in [0, 255].
        std: standard deviation of each channel in [0, 255].
        pad_divisor: images are padded at the right and the bottom to multiples of this [px].
        brightness: training only: each clip's images are scaled by a factor in 1 +- this.
        bgr: whether channels are turned from RGB to BGR first, as Caffe's weights expect.
        photometric: training only: whether the colours of every image change, see `photometric.py`.
        grid_mask: training only: probability of holes in the last frame of the clips, see `grid_mask.py`.
    """

    def __init__(
        self,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        pad_divisor: int = 32,
        brightness: float = 0.0,
        bgr: bool = False,
        photometric: bool = False,
        grid_mask: float = 0.0,
    ) -> None:
        super().__init__(non_blocking=True)
        self.pad_divisor = pad_divisor
        self.brightness = brightness
        self.bgr, self.photometric, self.grid_mask = bgr, photometric, grid_mask
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return the batch on the device; its `inputs["images"]` (B, Q, N, 3, H, W) float, normalised and padded.

        Args:
            data: `inputs` (tensors, or lists of one tensor per sample; images are optional) and `data_samples`.
            training: whether to augment.
        """
        inputs = {
            key: torch.stack(v) if isinstance(v, (list, tuple)) else v for key, v in data["inputs"].items()
        }
        inputs = self.cast_data(inputs)
        if "images" in inputs:
            inputs["images"] = self._prepare(inputs["images"], training)
        return {"inputs": inputs, "data_samples": self.cast_data(data.get("data_samples"))}

    def _prepare(self, images: Tensor, training: bool) -> Tensor:
        images = self.normalize(images, training)
        if training and self.grid_mask > 0 and float(torch.rand(())) < self.grid_mask:
            last = images[:, -1]
            last *= grid_mask(*last.shape[-2:], last.device)
        return images

    def normalize(self, images: Tensor, training: bool = False) -> Tensor:
        """Return images (..., H', W', 3) uint8 as (..., 3, H, W) float with padding on the right and the bottom."""
        images = images.movedim(-1, -3)
        if training and self.photometric:
            flat = images.flatten(0, -4)
            images = change_colours(flat, draw_change(len(flat), flat.device)).view(images.shape)
        images = images.float()
        if training and self.brightness > 0:
            factor = 1 + self.brightness * (2 * torch.rand(len(images), device=images.device) - 1)
            images = (images * factor.view(-1, *[1] * (images.dim() - 1))).clamp(max=255.0)
        if self.bgr:
            images = images.flip(-3)
        images = (images - self.mean) / self.std
        height, width = images.shape[-2:]
        return functional.pad(images, (0, -width % self.pad_divisor, 0, -height % self.pad_divisor))
