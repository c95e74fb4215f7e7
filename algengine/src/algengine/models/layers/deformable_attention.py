"""Deformable attention from what linear layers give to what is read, in the forms of `deformable`.

Our GPU kernel computes places, softmax and reads in one go; the other forms make them one after the other, which is
easier to follow and needs several times the memory.

B batch, N maps per sample, S cells of all levels of a map, C channels, Q queries, V pairs of query and map, M heads,
L levels, Z places of a pair, P points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers import deformable_triton
from algengine.models.layers.deformable import choose_form, deformable_sample
from algengine.models.layers.deformable_triton import Layout, References, level_sizes
from algengine.models.layers.low_rank import branch_of
from algengine.models.layers.mosaic import in_mosaic, mosaic

Shapes = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pairs:
    """Pairs of a query and a map it reads, query after query, packed to a common length V.

    Attributes:
        queries: (B, V) query of each pair.
        maps: (B, V) map of each pair.
        valid: (B, V) false for the padding at the end.
        starts: (B, Q + 1) int32 first pair of each query, and the end of the last.
        counts: (B, Q) what the sum over the pairs of a query is divided by; zero counts as one.
    """

    queries: Tensor
    maps: Tensor
    valid: Tensor
    starts: Tensor
    counts: Tensor


def steer(query: Tensor, offsets: nn.Linear, weights: nn.Linear) -> Tensor:
    """Return the outputs of both layers side by side, by one product: what `attend` takes."""
    layers = (offsets, weights)
    weight, bias = torch.cat([layer.weight for layer in layers]), torch.cat([layer.bias for layer in layers])
    raw = functional.linear(query, weight, bias)
    branches = [branch_of(layer) for layer in layers]
    if branches == [None, None]:
        return raw
    parts = zip(branches, raw.tensor_split([offsets.out_features], dim=-1), strict=True)
    return torch.cat([part if branch is None else part + branch(query) for branch, part in parts], dim=-1)


def project(tokens: Tensor, conv: nn.Conv2d) -> Tensor:
    """Return what a convolution of 1 x 1 makes of cells (..., C)."""
    projected, branch = functional.linear(tokens, conv.weight.flatten(1), conv.bias), branch_of(conv)
    return projected if branch is None else projected + branch(tokens)


def as_tokens(maps: Sequence[Tensor]) -> Tensor:
    """Return maps (..., C, h, w) of L levels as cells (..., S, C), row by row."""
    return torch.cat([level.flatten(-2).transpose(-2, -1) for level in maps], dim=-2)


def attend(
    tokens: Tensor,
    shapes: Shapes,
    raw: Tensor,
    places: Tensor,
    heads: int,
    pairs: Pairs | None = None,
    turns: Tensor | None = None,
    joint: bool = True,
    form: str = "auto",
) -> Tensor:
    """Return what each query reads (B, Q, C), in the precision of the cells; the mean over its pairs.

    Args:
        tokens: (B, N, S, C) cells of all levels.
        shapes: rows and columns of each level.
        raw: (B, Q, 3 * M * L * Z * P) offsets (M, L, Z, P, 2), then logits (M, L, Z, P).
        places: (B or 1, V, Z, 2) where offsets begin, as fractions of a map from border to border.
        heads: M.
        pairs: which query reads which map; without it each query reads the only map.
        turns: (B or 1, Q, 2) cosine and sine by which the offsets of a query are turned and scaled into cells; without
            it they are cells of their level.
        joint: whether the weights of all levels sum to one, or those of each level to the same share of one.
        form: see `choose_form`.
    """
    levels, heights = len(shapes), places.shape[2]
    points = raw.shape[-1] // (3 * heads * levels * heights)
    layout = Layout(tuple(shapes), heads, heights, points, 1 if joint else levels)
    chosen = choose_form(form, tokens.device)
    if chosen == "triton":
        references = References(
            places=places.float().contiguous(),
            turns=None if turns is None else turns.float().contiguous(),
            maps=None if pairs is None else pairs.maps.contiguous(),
            starts=None if pairs is None else pairs.starts.contiguous(),
            counts=None if pairs is None else pairs.counts.contiguous(),
        )
        return deformable_triton.attend(
            tokens.contiguous(), raw.contiguous(), layout, references, tokens.dtype
        )
    return _attend_in_steps(tokens, layout, raw, places, pairs, turns, chosen).to(tokens.dtype)


def _attend_in_steps(
    tokens: Tensor,
    layout: Layout,
    raw: Tensor,
    places: Tensor,
    pairs: Pairs | None,
    turns: Tensor | None,
    form: str,
) -> Tensor:
    """Return what `attend` returns, in at least single precision."""
    (batch, maps, _, dims), queries = tokens.shape, raw.shape[1]
    raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
    offsets, logits = raw.tensor_split([raw.shape[-1] // 3 * 2], dim=-1)
    if turns is not None:
        cos, sin = turns[..., :1], turns[..., 1:]
        x, y = offsets[..., ::2], offsets[..., 1::2]
        offsets = torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1).flatten(-2)
    if pairs is not None:
        offsets, logits = (
            torch.gather(part, 1, pairs.queries[..., None].expand(-1, -1, part.shape[-1]))
            for part in (offsets, logits)
        )
    shape = (*logits.shape[:2], layout.heads, len(layout.shapes), layout.heights, layout.points)
    sizes = level_sizes(layout.shapes, raw.device).to(raw.dtype)[:, None, None]  # L, 1, 1, 2
    pixels = places[:, :, None, None, :, None] * sizes + offsets.reshape(*shape, 2)
    weights = logits.reshape(*shape[:3], layout.groups, -1).softmax(-1) / layout.groups
    values = _level_maps(tokens, layout.shapes)
    if pairs is None:
        locations = pixels / sizes
    else:
        values = [mosaic(value, batch) for value in values]
        locations = in_mosaic(pixels, pairs.maps[:, :, None, None, None, None], sizes, maps)
    read = deformable_sample(values, locations.flatten(4, 5), weights.reshape(*shape[:4], -1), form)
    if pairs is None:
        return read
    read = read * pairs.valid[..., None]
    index = pairs.queries[..., None].expand_as(read)
    total = read.new_zeros(batch, queries, dims).scatter_add(1, index, read)
    return total / pairs.counts.clamp(min=1)[..., None]


def _level_maps(tokens: Tensor, shapes: Shapes) -> list[Tensor]:
    """Return L maps (B * N, C, rows, cols) of cells (B, N, S, C)."""
    parts = tokens.flatten(0, 1).split([rows * cols for rows, cols in shapes], dim=1)
    return [part.transpose(1, 2).unflatten(2, shape) for part, shape in zip(parts, shapes, strict=True)]
