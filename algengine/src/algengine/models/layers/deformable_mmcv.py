"""Deformable sampling by the compiled operator of full MMCV, where it is installed."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math

import torch
from torch import Tensor

_MAX_STEP = 64


def is_available(device: torch.device) -> bool:
    """Return whether MMCV's compiled operators are installed and `device` can run this one."""
    return device.type == "cuda" and _compiled()


@functools.cache
def _compiled() -> bool:
    if importlib.util.find_spec("mmcv") is None:
        return False
    extension = importlib.util.find_spec("mmcv._ext")
    # The placeholder of `algengine.mm` has no file.
    return extension is not None and extension.origin is not None


def sample(tokens: Tensor, shapes: tuple[tuple[int, int], ...], locations: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted sum of bilinear samples (B, Q, M * D) float32.

    Args:
        tokens: (B, S, M, D) contiguous cells of all levels, row by row.
        shapes: rows and columns of each level.
        locations: (B, Q, M, L, P, 2) contiguous float32, x, y in [0, 1] across each map.
        weights: (B, Q, M, L, P) contiguous float32.
    """
    from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

    starts = [0, *itertools.accumulate(height * width for height, width in shapes)][:-1]
    device, batch = tokens.device, len(tokens)
    # The operator wants a step that divides the batch.
    step = batch if batch <= _MAX_STEP else math.gcd(batch, _MAX_STEP)
    return MultiScaleDeformableAttnFunction.apply(
        tokens.float(),
        torch.tensor(shapes, device=device),
        torch.tensor(starts, device=device),
        locations,
        weights,
        step,
    )
