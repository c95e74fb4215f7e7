"""The Triton kernel of `change_colours`: all changes in one pass; imports Triton, so it is imported only when used."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


def launch(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Return changed images (I, 3, H, W) float32.

    Args:
        images: (I, 3, H, W) bytes or floats; pixels of an image at even distances in memory.
        factors: (I, 5) float32: added brightness, factor before, saturation, turn of the hue in sixths of the colour
            circle, factor after.
        order: (I, 3) channels in their new order.
    """
    count, _, height, width = images.shape
    out = torch.empty(images.shape, device=images.device)
    _kernel[(triton.cdiv(height * width, _BLOCK), count)](
        images,
        out,
        factors.contiguous(),
        order.contiguous(),
        height * width,
        images.stride(0),
        images.stride(1),
        images.stride(3),
        BLOCK=_BLOCK,
    )
    return out


@triton.jit
def _part(value, chroma, sixths, FIRST: tl.constexpr):
    """One channel of colours; `FIRST` says where on the circle it begins."""
    place = sixths + FIRST
    place = place - tl.floor(place / 6.0) * 6.0
    return value - chroma * tl.minimum(tl.maximum(tl.minimum(place, 4.0 - place), 0.0), 1.0)


@triton.jit
def _kernel(
    images, out, factors, order, pixels, image_stride, channel_stride, pixel_stride, BLOCK: tl.constexpr
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pixel < pixels
    brightness = tl.load(factors + 5 * image)
    early = tl.load(factors + 5 * image + 1)
    saturation = tl.load(factors + 5 * image + 2)
    hue = tl.load(factors + 5 * image + 3)
    late = tl.load(factors + 5 * image + 4)
    base = images + image * image_stride + pixel * pixel_stride
    red = (tl.load(base, mask=inside, other=0).to(tl.float32) + brightness) * early
    green = (tl.load(base + channel_stride, mask=inside, other=0).to(tl.float32) + brightness) * early
    blue = (tl.load(base + 2 * channel_stride, mask=inside, other=0).to(tl.float32) + brightness) * early
    value = tl.maximum(tl.maximum(red, green), blue)
    chroma = value - tl.minimum(tl.minimum(red, green), blue)
    safe = tl.maximum(chroma, 1e-6)
    sixths = tl.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe)
    sixths = tl.where(value == red, (green - blue) / safe, sixths) + hue
    # No more than full saturation, so no channel falls below zero.
    chroma = tl.minimum(chroma * saturation, tl.maximum(value, 0.0))
    red = _part(value, chroma, sixths, 5.0) * late
    green = _part(value, chroma, sixths, 3.0) * late
    blue = _part(value, chroma, sixths, 1.0) * late
    for i in tl.static_range(3):
        chosen = tl.load(order + 3 * image + i)
        channel = tl.where(chosen == 0, red, tl.where(chosen == 1, green, blue))
        tl.store(out + (3 * image + i) * pixels + pixel, channel, mask=inside)
