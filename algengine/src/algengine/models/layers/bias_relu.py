"""What follows a convolution at inference, in one pass over memory: bias, shortcut and ReLU.

cuDNN's own fusion of these was measured slower in whole networks (docs/benchmarks.md).
"""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.models.layers.deformable_triton import is_available


def bias_relu_(maps: Tensor, bias: Tensor, shortcut: Tensor | None = None) -> Tensor:
    """Return `relu(maps + bias + shortcut)`, written over `maps`.

    Args:
        maps: (B, C, h, w).
        bias: (C,).
        shortcut: (B, C, h, w) or None.
    """
    parts = (maps,) if shortcut is None else (maps, shortcut)
    last = all(part.is_contiguous(memory_format=torch.channels_last) for part in parts)
    if last and is_available(maps.device):
        from algengine.models.layers.bias_relu_kernel import launch

        launch(maps, bias, shortcut)
        return maps
    maps += bias[:, None, None]
    if shortcut is not None:
        maps += shortcut
    return maps.relu_()
