"""Low-rank adapters beside frozen layers: y = W x + b + (alpha / r) B A x.

Hu et al., LoRA, 2021; reference: algengine.md 2.7. An adapter is a child of the layer that it adapts, named `lora`, so
the layer's own keys in a state dict stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from simengine.errors import ConfigError

CHILD = "lora"


class LoRA(nn.Module):
    """The added branch; zero until trained, because B starts at zero.

    Args:
        inputs: channels in.
        outputs: channels out.
        rank: r of each part.
        alpha: the branch is scaled by alpha / r.
        dropout: of what enters the branch.
        parts: equal parts of the outputs with adapters of their own, 3 for a fused query-key-value projection.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        rank: int = 16,
        alpha: float = 1.0,
        dropout: float = 0.0,
        parts: int = 1,
    ) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.randn(parts, rank, inputs) / rank)
        self.B = nn.Parameter(torch.zeros(parts, outputs // parts, rank))
        self.scale, self.rate = alpha / rank, dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added (..., outputs) for x (..., inputs)."""
        x = functional.dropout(x, self.rate, self.training)
        parts = [functional.linear(functional.linear(x, a), b) for a, b in zip(self.A, self.B, strict=True)]
        return self.scale * (parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1))

    def delta(self) -> Tensor:
        """Return the change of the weight (outputs, inputs) that the branch amounts to without dropout."""
        return self.scale * torch.cat([b @ a for a, b in zip(self.A, self.B, strict=True)])


def attach(layer: nn.Module, rank: int, alpha: float, dropout: float, parts: int) -> LoRA:
    """Give a linear layer, or a convolution of 1 x 1, an adapter and return it.

    Raises:
        ConfigError: the layer is of another kind, has an adapter, or its outputs cannot be cut into `parts`.
    """
    pointwise = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1
    if not (isinstance(layer, nn.Linear) or pointwise) or hasattr(layer, CHILD):
        raise ConfigError(
            f"{layer} cannot have an adapter, expected a linear layer or 1 x 1 convolution without one"
        )
    outputs, inputs = layer.weight.shape[:2]
    if outputs % parts:
        raise ConfigError(
            f"{layer} has {outputs} outputs, expected a multiple of {parts} parts: change the rule"
        )
    branch = LoRA(inputs, outputs, rank, alpha, dropout, parts).to(layer.weight)
    layer.add_module(CHILD, branch)
    layer.register_forward_hook(_add_branch)
    return branch


def adapted(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield paths and layers that have an adapter."""
    for path, module in model.named_modules():
        if isinstance(getattr(module, CHILD, None), LoRA):
            yield path, module


def merge(model: nn.Module) -> None:
    """Add every adapter to the weight of its layer and remove it."""
    for _, layer in list(adapted(model)):
        with torch.no_grad():
            layer.weight += layer.lora.delta().reshape(layer.weight.shape)
        delattr(layer, CHILD)
        for key in [k for k, hook in layer._forward_hooks.items() if hook is _add_branch]:
            del layer._forward_hooks[key]


def _add_branch(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    branch, x = layer.lora, inputs[0]
    if isinstance(layer, nn.Conv2d):
        return output + branch(x.movedim(1, -1)).movedim(-1, 1)
    return output + branch(x)
