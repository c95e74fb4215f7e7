"""Layer norm that stays in the precision of the linear layers around it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers.precision import as_computed


class LeanNorm(nn.LayerNorm):
    """A layer norm whose input and output have the type of autocast, if that is on; its sums are in single precision.

    Autocast computes `nn.LayerNorm` in single precision and leaves its result so, which doubles the memory traffic of
    everything between two linear layers.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised features, same shape as `x` (..., dims)."""
        x = as_computed(x)
        with torch.autocast(x.device.type, enabled=False):
            weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
            return functional.layer_norm(x, self.normalized_shape, weight, bias, self.eps)
