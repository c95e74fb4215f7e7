"""Deformable attention into one map by loops over queries, heads and points."""

from __future__ import annotations

import torch

from algengine.models.layers.map_attention import MapAttention
from oracles.deformable import bilinear


def slow_map_attention(
    module: MapAttention,
    query: torch.Tensor,
    position: torch.Tensor,
    reference: torch.Tensor,
    bev: torch.Tensor,
) -> torch.Tensor:
    """Return updated queries (Q, C) of one sample; reference (Q, 2) or (Q, 4), bev (C, rows, cols)."""
    dims, rows, cols = bev.shape
    value = torch.einsum("oc,chw->ohw", module.value.weight, bev) + module.value.bias[:, None, None]
    value = value.reshape(module.heads, dims // module.heads, rows, cols)
    updated = []
    for q in range(len(query)):
        asked = query[q] + position[q]
        offsets = module.offsets(asked).reshape(module.heads, module.points, 2)
        weights = module.weights(asked).reshape(module.heads, module.points).softmax(-1)
        read = torch.zeros(module.heads, dims // module.heads, dtype=bev.dtype)
        for m in range(module.heads):
            for p in range(module.points):
                x, y, *box = reference[q].tolist()
                dx, dy = offsets[m, p].tolist()
                across, along = [side / 2 / module.points for side in box] or (1 / cols, 1 / rows)
                read[m] += weights[m, p] * bilinear(value[m], x + dx * across, y + dy * along)
        updated.append(query[q] + module.output(read.flatten()))
    return torch.stack(updated)
