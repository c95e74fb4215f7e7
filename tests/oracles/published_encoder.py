"""The published bird's-eye-view encoder cell by cell, from a state dict with the published names.

`published=False` gives what ours computes with the same weights instead: exact alignment of the previous map, no shift,
masks and control features of each sample's own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from oracles.deformable import bilinear

HEIGHTS = [-5.0 + 8.0 * share for share in (0.5 / 8, (0.5 + 7 / 3) / 8, (0.5 + 14 / 3) / 8, 7.5 / 8)]
"""Heights above the rear axle at which a cell is looked for [m]: four from 0.5 to 7.5 above the range's low end."""

BASE = "pts_bbox_head.transformer."


def linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def norm(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    spread = ((x - x.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt() * state[f"{name}.weight"] + state[
        f"{name}.bias"
    ]


def encode(
    state: dict[str, Tensor],
    features: list[Tensor],
    lidar2img: Tensor,
    size_px: tuple[int, int],
    half: float,
    can_bus: Tensor,
    rotation: Tensor,
    previous: Tensor | None,
    published: bool = True,
) -> Tensor:
    """Return the map (B, rows * cols, C) of square maps from -half to half [m].

    Args:
        state: published names, float64.
        features: L maps (B, N, C, h, w).
        lidar2img: (B, N, 4, 4).
        size_px: padded width and height.
        half: half the edge of the map [m].
        can_bus: (B, 18).
        rotation: (B, 3, 3) of the present frame in the map's frame.
        previous: (B, rows * cols, C) or None.
        published: see the module.
    """
    batch, size = len(can_bus), math.isqrt(len(state["pts_bbox_head.bev_embedding.weight"]))
    codes = state[BASE + "cams_embeds"][:, None] + state[BASE + "level_embeds"]
    features = [f + codes[:, i, :, None, None] for i, f in enumerate(features)]
    moved = linear(state, BASE + "can_bus_mlp.0", can_bus).relu()
    moved = norm(state, BASE + "can_bus_mlp.norm", linear(state, BASE + "can_bus_mlp.2", moved).relu())
    start = state["pts_bbox_head.bev_embedding.weight"][None] + moved[:, None]
    position = torch.stack([_position(state, row, col) for row in range(size) for col in range(size)])
    centers = [((col + 0.5) / size, (row + 0.5) / size) for row in range(size) for col in range(size)]
    shift = torch.zeros(batch, 2, dtype=start.dtype)
    if previous is not None:
        displacement = torch.stack([rotation[b].T @ can_bus[b, :3] for b in range(batch)])[:, :2]
        if published:
            shift = displacement / (2 * half)
            previous = torch.stack([_turned(previous[b], can_bus[b, 17], size) for b in range(batch)])
        else:
            previous = torch.stack(
                [_moved(previous[b], can_bus[b, 17], displacement[b], size, half) for b in range(batch)]
            )
    places = [
        [_projected(lidar2img[b, n], centers, half) for n in range(lidar2img.shape[1])] for b in range(batch)
    ]
    query, layer = start, 0
    while f"{BASE}encoder.layers.{layer}.norms.0.weight" in state:
        base = f"{BASE}encoder.layers.{layer}."
        query = _temporal(state, base, query, start, position, previous, centers, shift, size, published)
        query = norm(state, base + "norms.0", query)
        query = _spatial(state, base, query, features, places, size_px, published)
        query = norm(state, base + "norms.1", query)
        hidden = linear(state, base + "ffns.0.layers.0.0", query).relu()
        query = norm(state, base + "norms.2", query + linear(state, base + "ffns.0.layers.1", hidden))
        layer += 1
    return query


def _position(state: dict[str, Tensor], row: int, col: int) -> Tensor:
    base = "pts_bbox_head.positional_encoding."
    return torch.cat([state[base + "col_embed.weight"][col], state[base + "row_embed.weight"][row]])


def _turned(cells: Tensor, degrees: Tensor, size: int) -> Tensor:
    """Return a map turned about its middle by nearest cells."""
    angle, middle, out = math.radians(float(degrees)), (size - 1) / 2, torch.zeros_like(cells)
    for row in range(size):
        for col in range(size):
            x, y = col - middle, row - middle
            source_col = round(math.cos(angle) * x - math.sin(angle) * y + middle)
            source_row = round(math.sin(angle) * x + math.cos(angle) * y + middle)
            if 0 <= source_col < size and 0 <= source_row < size:
                out[row * size + col] = cells[source_row * size + source_col]
    return out


def _moved(cells: Tensor, degrees: Tensor, displacement: Tensor, size: int, half: float) -> Tensor:
    """Return a map as seen from the present pose: a point p lies at R (p + displacement) in the previous frame."""
    angle, out = math.radians(float(degrees)), torch.zeros_like(cells)
    image = cells.T.reshape(-1, size, size)
    for row in range(size):
        for col in range(size):
            x = (col + 0.5) / size * 2 * half - half + float(displacement[0])
            y = (row + 0.5) / size * 2 * half - half + float(displacement[1])
            before_x = math.cos(angle) * x - math.sin(angle) * y
            before_y = math.sin(angle) * x + math.cos(angle) * y
            where = (before_x + half) / (2 * half), (before_y + half) / (2 * half)
            out[row * size + col] = bilinear(image, *where)
    return out


def _temporal(state, base, query, start, position, previous, centers, shift, size, published):
    batch, cells, dims = query.shape
    heads = state[base + "attentions.0.attention_weights.bias"].numel() // 8
    streams = [(query[b], query[b]) if previous is None else (previous[b], start[b]) for b in range(batch)]
    flat = [
        stream for pair in streams for stream in pair
    ]  # previous and present of sample 0, of sample 1, ...
    read = torch.zeros_like(query)
    for b in range(batch):
        first = flat[b] if published else streams[b][0]
        control = torch.cat([first, query[b] + position], dim=-1)
        offsets = linear(state, base + "attentions.0.sampling_offsets", control).reshape(
            cells, heads, 2, 4, 2
        )
        weights = linear(state, base + "attentions.0.attention_weights", control).reshape(cells, heads, 2, 4)
        weights = weights.softmax(-1)
        for s in range(2):
            value = linear(state, base + "attentions.0.value_proj", streams[b][s]).T.reshape(
                heads, -1, size, size
            )
            for p, (x, y) in enumerate(centers):
                for m in range(heads):
                    part = slice(m * dims // heads, (m + 1) * dims // heads)
                    for k in range(4):
                        where = torch.tensor([x, y]) + shift[b] + offsets[p, m, s, k] / size
                        sample = bilinear(value[m], *where.tolist())
                        read[b, p, part] += 0.5 * weights[p, m, s, k] * sample
    return query + linear(state, base + "attentions.0.output_proj", read)


def _projected(matrix: Tensor, centers: list[tuple[float, float]], half: float) -> Tensor:
    """Return u, v, depth (P, Z, 3) of the pillar of each cell in a camera [px, px, m]."""
    out = torch.zeros(len(centers), len(HEIGHTS), 3, dtype=matrix.dtype)
    for p, (x, y) in enumerate(centers):
        for z, height in enumerate(HEIGHTS):
            point = torch.tensor([(2 * x - 1) * half, (2 * y - 1) * half, height, 1.0], dtype=matrix.dtype)
            u, v, depth = (matrix @ point)[:3]
            near = max(float(depth), 1e-5)
            out[p, z] = torch.stack([u / near, v / near, depth])
    return out


def _spatial(state, base, query, features, places, size_px, published):
    batch, cells, dims = query.shape
    name = base + "attentions.1.deformable_attention."
    levels = len(features)
    heads = state[name + "attention_weights.bias"].numel() // (levels * 8)
    size = torch.tensor(size_px, dtype=query.dtype)
    total, count = torch.zeros_like(query), torch.zeros(batch, cells, dtype=query.dtype)
    for b in range(batch):
        for n in range(len(places[b])):
            seen = _seen(places[b][n], size_px)
            count[b] += seen
            asked = _seen(places[0][n], size_px) if published else seen
            values = []
            for f in features:
                tokens = f[b, n].flatten(1).T
                value = linear(state, name + "value_proj", tokens).T
                values.append(value.reshape(heads, dims // heads, *f.shape[-2:]))
            for p in asked.nonzero()[:, 0].tolist():
                offsets = linear(state, name + "sampling_offsets", query[b, p]).reshape(
                    heads, levels, 2, 4, 2
                )
                weights = (
                    linear(state, name + "attention_weights", query[b, p]).reshape(heads, -1).softmax(-1)
                )
                weights = weights.reshape(heads, levels, 2, 4)
                for m in range(heads):
                    part = slice(m * dims // heads, (m + 1) * dims // heads)
                    for level, value in enumerate(values):
                        shape = torch.tensor([value.shape[-1], value.shape[-2]])
                        for k in range(2):
                            for z in range(4):
                                where = places[b][n][p, z, :2] / size + offsets[m, level, k, z] / shape
                                sample = bilinear(value[m], *where.tolist())
                                total[b, p, part] += weights[m, level, k, z] * sample
    mean = total / count.clamp(min=1.0)[..., None]
    return query + linear(state, base + "attentions.1.output_proj", mean)


def _seen(points: Tensor, size_px: tuple[int, int]) -> Tensor:
    u, v, depth = points.unbind(-1)
    return ((depth > 1e-5) & (u > 0) & (u < size_px[0]) & (v > 0) & (v < size_px[1])).any(-1)
