"""A convolution at inference with what follows it, bias, shortcut and ReLU, in one pass over memory where cuDNN can."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def convolution_relu(
    conv: nn.Conv2d, maps: Tensor, weight: Tensor, bias: Tensor, shortcut: Tensor | None = None
) -> Tensor:
    """Return `relu(conv(maps) + shortcut)` (B, C, h, w), without gradients on a GPU.

    Args:
        conv: stride, padding, dilation and groups.
        maps: (B, C', H, W).
        weight: in the place of that of `conv`, in the type of `maps`.
        bias: (C,) in the place of that of `conv`, in the type of `maps`.
        shortcut: (B, C, h, w) or None.
    """
    steps = (conv.stride, conv.padding, conv.dilation, conv.groups)
    if maps.is_cuda and torch.version.hip is None and torch.backends.cudnn.is_acceptable(maps):
        if shortcut is None:
            return torch.cudnn_convolution_relu(maps, weight, bias, *steps)
        return torch.cudnn_convolution_add_relu(maps, weight, shortcut, 1.0, bias, *steps)
    result = functional.conv2d(maps, weight, bias, *steps)
    return (result if shortcut is None else result.add_(shortcut)).relu_()
