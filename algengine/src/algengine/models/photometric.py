"""Changing the colours of images while training: brightness, contrast, saturation, hue and the order of channels.

The ranges are the published ones; every image draws its own, on the device, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.models.layers.deformable_triton import is_available


@dataclass(frozen=True)
class ColourChange:
    """What happens to each of I images.

    Attributes:
        brightness: (I,) added to all channels.
        contrast: (I,) factor of all channels.
        contrast_first: (I,) whether that comes before saturation and hue.
        saturation: (I,) factor of the distance to grey.
        hue: (I,) turn of the hue [deg].
        order: (I, 3) channels in their new order.
    """

    brightness: Tensor
    contrast: Tensor
    contrast_first: Tensor
    saturation: Tensor
    hue: Tensor
    order: Tensor


def draw_change(count: int, device: torch.device) -> ColourChange:
    """Return a random change for `count` images: each part happens to half of them."""

    def maybe(low: float, high: float, neutral: float) -> Tensor:
        value = low + (high - low) * torch.rand(count)
        return torch.where(torch.rand(count) < 0.5, value, torch.tensor(neutral)).to(device)

    mixed = torch.rand(count, 3).argsort(-1)
    order = torch.where(torch.rand(count, 1) < 0.5, mixed, torch.arange(3))
    return ColourChange(
        brightness=maybe(-32.0, 32.0, 0.0),
        contrast=maybe(0.5, 1.5, 1.0),
        contrast_first=(torch.rand(count) < 0.5).to(device),
        saturation=maybe(0.5, 1.5, 1.0),
        hue=maybe(-18.0, 18.0, 0.0),
        order=order.to(device),
    )


def change_colours(images: Tensor, change: ColourChange) -> Tensor:
    """Return changed images (I, 3, H, W) float of RGB images (I, 3, H, W) in [0, 255]; values may leave that range."""

    def wide(values: Tensor) -> Tensor:
        return values[:, None, None, None]

    early = torch.where(change.contrast_first, change.contrast, torch.ones_like(change.contrast))
    late = change.contrast / early
    if is_available(images.device) and images.stride(2) == images.shape[3] * images.stride(3):
        from algengine.models.photometric_kernel import launch

        factors = [change.brightness, early, change.saturation, change.hue / 60.0, late]
        return launch(images, torch.stack(factors, dim=-1), change.order)
    images = (images.float() + wide(change.brightness)) * wide(early)
    images = _turn_hue(images, change.saturation, change.hue) * wide(late)
    return images.gather(1, change.order[:, :, None, None].expand_as(images))


def _turn_hue(images: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Return images with scaled saturation and turned hue; the largest channel (the value) stays."""
    value, chroma = images.amax(1), images.amax(1) - images.amin(1)
    red, green, blue = images.unbind(1)
    safe = chroma.clamp(min=1e-6)
    # The hue in sixths of a turn: 0 red, 2 green, 4 blue.
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sixths = sixths + hue[:, None, None] / 60.0
    # No more than full saturation, so no channel falls below zero.
    chroma = torch.minimum(chroma * saturation[:, None, None], value.clamp(min=0.0))
    places = (torch.tensor([5.0, 3.0, 1.0], device=images.device)[:, None, None] + sixths[:, None]) % 6
    return value[:, None] - chroma[:, None] * torch.minimum(places, 4 - places).clamp(0.0, 1.0)
