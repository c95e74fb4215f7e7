"""Deformable sampling point by point."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch


def sample_by_loop(
    values: Sequence[torch.Tensor], locations: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Return the samples (B, Q, M * D) of L maps (B, M * D, h, w); arguments as `deformable_sample`'s."""
    batch, queries, heads, levels, points = weights.shape
    depth = values[0].shape[1] // heads
    out = values[0].new_zeros(batch, queries, heads, depth)
    for b, q, m, level, p in itertools.product(*map(range, (batch, queries, heads, levels, points))):
        x, y = locations[b, q, m, level, p].tolist()
        part = values[level][b, m * depth : (m + 1) * depth]
        out[b, q, m] += weights[b, q, m, level, p] * bilinear(part, x, y)
    return out.flatten(2)


def bilinear(image: torch.Tensor, x: float, y: float) -> torch.Tensor:
    """Return the value (D,) of a map (D, h, w) at x, y in [0, 1] border to border, zero beyond its cells."""
    height, width = image.shape[-2:]
    u, v = x * width - 0.5, y * height - 0.5
    out = image.new_zeros(len(image))
    for row in (math.floor(v), math.floor(v) + 1):
        for col in (math.floor(u), math.floor(u) + 1):
            if 0 <= row < height and 0 <= col < width:
                out += (1 - abs(u - col)) * (1 - abs(v - row)) * image[:, row, col]
    return out
