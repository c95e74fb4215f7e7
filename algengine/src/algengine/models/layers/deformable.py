"""Deformable sampling in plain torch: weighted bilinear reads at freely placed points.

B batch, Q queries, M heads, D channels per head, L levels, P points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def deformable_sample(values: Sequence[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of bilinear samples (B, Q, M * D), in single precision also under autocast.

    Args:
        values: L maps (B, M * D, h, w).
        locations: (B, Q, M, L, P, 2) x, y in [0, 1] across each map, border to border; outside reads zero.
        weights: (B, Q, M, L, P).
    """
    batch, queries, heads = locations.shape[:3]
    grid = (2.0 * locations - 1.0).permute(0, 2, 3, 1, 4, 5)  # B, M, L, Q, P, 2
    weights = weights.permute(0, 2, 3, 1, 4)  # B, M, L, Q, P
    total = None
    for level, value in enumerate(values):
        maps = value.reshape(batch * heads, -1, *value.shape[-2:])
        points = grid[:, :, level].reshape(batch * heads, queries, -1, 2).float()
        read = functional.grid_sample(maps.float(), points, align_corners=False)  # B*M, D, Q, P
        part = (read * weights[:, :, level].reshape(batch * heads, 1, queries, -1)).sum(-1)
        total = part if total is None else total + part
    return total.reshape(batch, -1, queries).transpose(1, 2)


def sample_by_loop(values: Sequence[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
    """Return what `deformable_sample` returns, computed point by point; the oracle of its tests."""
    batch, queries, heads, levels, points = weights.shape
    depth = values[0].shape[1] // heads
    out = values[0].new_zeros(batch, queries, heads, depth)
    for b, q, m, level, p in torch.cartesian_prod(
        *map(torch.arange, (batch, queries, heads, levels, points))
    ).tolist():
        one = values[level][b, m * depth : (m + 1) * depth]
        height, width = one.shape[-2:]
        x = float(locations[b, q, m, level, p, 0]) * width - 0.5
        y = float(locations[b, q, m, level, p, 1]) * height - 0.5
        for row in (math.floor(y), math.floor(y) + 1):
            for col in (math.floor(x), math.floor(x) + 1):
                if 0 <= row < height and 0 <= col < width:
                    share = (1 - abs(x - col)) * (1 - abs(y - row))
                    out[b, q, m] += weights[b, q, m, level, p] * share * one[:, row, col]
    return out.flatten(2)


def init_directional_offsets(
    layer: nn.Linear, heads: int, groups: int, points: int, scale: float = 1.0
) -> None:
    """Start an offset layer (heads * groups * points * 2 outputs) so that each head looks in its own direction."""
    nn.init.zeros_(layer.weight)
    angle = torch.arange(heads) * (2.0 * math.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], dim=-1)[:, None, None]
    reach = torch.arange(1, points + 1, dtype=torch.float32)[None, None, :, None]
    bias = scale * (direction * reach).expand(heads, groups, points, 2)
    with torch.no_grad():
        layer.bias.copy_(bias.reshape(-1))
