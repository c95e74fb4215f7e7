"""Deformable sampling on the GPU: the autograd function around the Triton kernels, imported only when used.

B batch, S map cells of all levels, Q queries, M heads, D channels per head, L levels, P points.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def is_available(device: torch.device) -> bool:
    """Return whether the kernels run on `device`: Triton and a GPU, or Triton's interpreter."""
    if not _installed():
        return False
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def sample(tokens: Tensor, shapes: tuple[tuple[int, int], ...], locations: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of bilinear samples (B, Q, M * D) float32.

    Args:
        tokens: (B, S, M, D) contiguous cells of all levels, row by row; bfloat16, float16 or float32.
        shapes: rows and columns of each level.
        locations: (B, Q, M, L, P, 2) contiguous float32, x, y in [0, 1] across each map.
        weights: (B, Q, M, L, P) contiguous float32.
    """
    return _DeformableSample.apply(tokens, shapes, locations, weights)


@functools.lru_cache(maxsize=64)
def level_table(shapes: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    """Return rows, columns and first cell of each level (L, 3) int32; kept, so that nothing is copied per call."""
    starts = [0, *itertools.accumulate(height * width for height, width in shapes)]
    rows = [(height, width, start) for (height, width), start in zip(shapes, starts, strict=False)]
    return torch.tensor(rows, dtype=torch.int32, device=device)


class _DeformableSample(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        tokens: Tensor,
        shapes: tuple[tuple[int, int], ...],
        locations: Tensor,
        weights: Tensor,
    ) -> Tensor:
        from algengine.models.layers import deformable_kernels as kernels

        table = level_table(shapes, tokens.device)
        ctx.save_for_backward(tokens, table, locations, weights)
        batch, queries, heads = locations.shape[:3]
        out = torch.empty(batch, queries, heads * tokens.shape[3], device=tokens.device, dtype=torch.float32)
        kernels.launch(kernels.forward_kernel, tokens, table, locations, weights, (out,))
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        from algengine.models.layers import deformable_kernels as kernels

        tokens, table, locations, weights = ctx.saved_tensors
        # Many queries add to one cell: the sum is kept in single precision whatever the maps are.
        grad_tokens = torch.zeros_like(tokens, dtype=torch.float32)
        grad_locations, grad_weights = torch.empty_like(locations), torch.empty_like(weights)
        outputs = (grad.float().contiguous(), grad_tokens, grad_locations, grad_weights)
        kernels.launch(kernels.backward_kernel, tokens, table, locations, weights, outputs)
        return grad_tokens.to(tokens.dtype), None, grad_locations, grad_weights
