"""Deformable attention on the GPU: the autograd function around the Triton kernels, imported only when used.

B batch, N maps per sample, S cells of all levels of a map, Q queries, V pairs of query and map, M heads, D channels per
head, L levels, Z places of a pair, P points.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK_ELEMENTS = 256
_WARPS = 1


@dataclass(frozen=True)
class Layout:
    """Sizes that the kernels are compiled for.

    Attributes:
        shapes: rows and columns of each level.
        heads: M.
        heights: Z.
        points: P.
        groups: what the softmax normalises: one group of all samples of a head, or one for each level; 0 takes the
            weights as they are.
    """

    shapes: tuple[tuple[int, int], ...]
    heads: int
    heights: int
    points: int
    groups: int

    @property
    def samples(self) -> int:
        """Reads per query and head."""
        return len(self.shapes) * self.heights * self.points


@dataclass(frozen=True)
class References:
    """Where queries read.

    Attributes:
        places: (B or 1, V, Z, 2) contiguous float32 fractions of a map to which offsets are added, or None for none.
        turns: (B or 1, Q, 2) contiguous float32 cosine and sine by which the offsets of a query are turned and scaled
            into cells, or None where they are cells.
        maps: (B, V) contiguous map of each pair, or None: each query reads the only map.
        starts: (B, Q + 1) contiguous int32 where the pairs of each query begin, with `maps`.
        counts: (B, Q) contiguous, what the sum over the pairs of a query is divided by (by one if zero), with `maps`.
    """

    places: Tensor | None = None
    turns: Tensor | None = None
    maps: Tensor | None = None
    starts: Tensor | None = None
    counts: Tensor | None = None


def is_available(device: torch.device) -> bool:
    """Return whether the kernels run on `device`: Triton and a GPU, or Triton's interpreter."""
    if not _installed():
        return False
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def attend(tokens: Tensor, raw: Tensor, layout: Layout, references: References, dtype: torch.dtype) -> Tensor:
    """Return what is read (B, Q, M * D) of type `dtype`; sums are in single precision.

    Args:
        tokens: (B, N, S, M * D) contiguous cells of all levels, row by row; bfloat16, float16 or float32.
        raw: (B, Q, 3 * M * L * Z * P) contiguous: offsets x, y of all samples, then their weights or logits.
        layout: sizes.
        references: where offsets begin.
        dtype: of the result.
    """
    return _DeformableAttention.apply(tokens, raw, layout, references, dtype)


@functools.lru_cache(maxsize=64)
def level_table(shapes: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """Return rows, columns and first cell of each level (L, 3) int32; kept, so that nothing is copied per call."""
    starts = [0, *itertools.accumulate(height * width for height, width in shapes)]
    rows = [(height, width, start) for (height, width), start in zip(shapes, starts, strict=False)]
    return torch.tensor(rows, dtype=torch.int32, device=device)


def level_sizes(shapes: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """Return columns and rows of each level (L, 2) int32."""
    return level_table(shapes, device)[:, :2].flip(-1)


class _DeformableAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        tokens: Tensor,
        raw: Tensor,
        layout: Layout,
        references: References,
        dtype: torch.dtype,
    ) -> Tensor:
        from algengine.models.layers import deformable_kernels as kernels

        ctx.save_for_backward(tokens, raw)
        ctx.layout, ctx.references = layout, references
        out = torch.empty(*raw.shape[:2], tokens.shape[3], device=tokens.device, dtype=dtype)
        _launch(kernels.forward_kernel, tokens, raw, layout, references, (out,))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        from algengine.models.layers import deformable_kernels as kernels

        tokens, raw = ctx.saved_tensors
        # Many queries add to one cell: the sum is kept in single precision whatever the maps are.
        grad_tokens = torch.zeros_like(tokens, dtype=torch.float32)
        grad_raw = torch.empty_like(raw)
        scratch = raw.new_empty(raw.numel() // 3 if ctx.layout.groups else 0, dtype=torch.float32)
        outputs = (grad.contiguous(), grad_tokens, grad_raw, scratch)
        _launch(kernels.backward_kernel, tokens, raw, ctx.layout, ctx.references, outputs)
        return grad_tokens.to(tokens.dtype), grad_raw, None, None, None


def _launch(
    kernel: object,
    tokens: Tensor,
    raw: Tensor,
    layout: Layout,
    references: References,
    others: tuple[Tensor, ...],
) -> None:
    """Run `kernel` over all queries, heads and samples."""
    import triton

    (batch, queries), (maps, cells, dims) = raw.shape[:2], tokens.shape[1:]
    if queries == 0:
        return
    depth, levels = dims // layout.heads, len(layout.shapes)
    lanes = triton.next_power_of_2(depth)
    block = max(1, _BLOCK_ELEMENTS // lanes)
    places, turns, unused = references.places, references.turns, tokens
    paired = references.maps is not None
    kernel[(triton.cdiv(queries, block), batch * layout.heads)](
        tokens,
        level_table(layout.shapes, tokens.device),
        raw,
        unused if places is None else places,
        unused if turns is None else turns,
        references.maps if paired else unused,
        references.starts if paired else unused,
        references.counts if paired else unused,
        *others,
        queries,
        references.maps.shape[1] if paired else queries,
        _sample_stride(places),
        _sample_stride(turns),
        maps * cells,
        cells,
        HEADS=layout.heads,
        DEPTH=depth,
        LEVELS=levels,
        HEIGHTS=layout.heights,
        POINTS=layout.points,
        GROUPS=max(layout.groups, 1),
        NORMALISED=layout.groups > 0,
        PLACED=places is not None,
        TURNED=turns is not None,
        PAIRED=paired,
        BLOCK=block,
        LANES=lanes,
        WIDTH=triton.next_power_of_2(layout.samples // max(layout.groups, 1)),
        num_warps=_WARPS,
    )


def _sample_stride(values: Tensor | None) -> int:
    """Return how far apart the values of two samples are; zero if all share them."""
    return 0 if values is None or len(values) == 1 else values[0].numel()
