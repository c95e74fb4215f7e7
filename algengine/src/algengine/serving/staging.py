"""Bringing the images of many rigs to the device, past the processor as quickly as it goes.

B rigs, N cameras.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from algengine.datasets.frames import resize
from simengine.datatypes.observation import host_image


class ImageStaging:
    """Stacks images on a device.

    To a GPU they go through page-locked memory, which is kept: each image is copied once by the processor, while the
    GPU fetches the rig before it. Whoever calls must have waited for the GPU since the last call, or images that are
    still on their way are overwritten.

    Args:
        device: where the images are wanted.
        size: width and height at which they are wanted [px]; others are resized.
    """

    def __init__(self, device: torch.device, size: tuple[int, int]) -> None:
        self._device, self._size = device, size
        self._host = torch.empty(0, dtype=torch.uint8)

    def stack(self, rigs: Sequence[Sequence[np.ndarray | Tensor]]) -> Tensor:
        """Return images (B, N, H, W, 3) uint8 of rigs of N images each, on the host or on a device."""
        width, height = self._size
        host = self._reserve((len(rigs), len(rigs[0]), height, width, 3))
        if self._device.type == "cpu":
            for slot, rig in zip(host, rigs, strict=True):
                self._fill(slot, rig)
            return host
        stacked = torch.empty_like(host, device=self._device)
        for target, slot, rig in zip(stacked, host, rigs, strict=True):
            if all(isinstance(image, Tensor) and tuple(image.shape[1::-1]) == self._size for image in rig):
                torch.stack([image.to(self._device) for image in rig], out=target)
                continue
            self._fill(slot, rig)
            target.copy_(slot, non_blocking=True)
        return stacked

    def _fill(self, slot: Tensor, rig: Sequence[np.ndarray | Tensor]) -> None:
        for place, image in zip(slot.numpy(), rig, strict=True):
            np.copyto(place, resize(host_image(image), self._size))

    def _reserve(self, shape: tuple[int, ...]) -> Tensor:
        """Return host memory of a shape: new on the CPU, where it is the result, otherwise page-locked and kept."""
        if self._device.type == "cpu":
            return torch.empty(shape, dtype=torch.uint8)
        if self._host.shape[1:] != shape[1:] or len(self._host) < shape[0]:
            self._host = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        return self._host[: shape[0]]
