"""Adapters: low-rank branches beside frozen layers of a whole model, see `low_rank`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from algengine.models.layers.low_rank import CHILD, LoRA, branch_of
from simengine.errors import ConfigError


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
        if branch_of(module) is not None:
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
