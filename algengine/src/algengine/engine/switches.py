"""Switches of a training config that act on more than one part: averaged weights, recomputed activations."""

from __future__ import annotations

import inspect
from collections.abc import MutableMapping

from mmengine.config import Config

_RECOMPUTING = ("checkpointing", "with_cp")


def apply_switches(config: Config) -> None:
    """Turn the keys `ema_momentum` and `gradient_checkpointing` into settings of hooks and modules, in place."""
    momentum = config.get("ema_momentum", 0.0)
    hooks = list(config.get("custom_hooks", []))
    if momentum and not any(hook["type"] == "EMAHook" for hook in hooks):
        config.custom_hooks = [*hooks, {"type": "EMAHook", "momentum": momentum}]
    if config.get("gradient_checkpointing", False):
        recompute_activations(config.model)


def recompute_activations(model: MutableMapping) -> None:
    """Switch recomputation on wherever a part of the model's config offers it, in place."""
    from algengine import registry

    for part in _parts(model):
        kind = registry.MODELS.get(part["type"])
        names = inspect.signature(kind).parameters if kind is not None else ()
        for name in _RECOMPUTING:
            if name in names:
                part[name] = True


def _parts(node: object) -> list[MutableMapping]:
    if isinstance(node, MutableMapping):
        inner = [part for value in node.values() for part in _parts(value)]
        return [node, *inner] if "type" in node else inner
    if isinstance(node, (list, tuple)):
        return [part for value in node for part in _parts(value)]
    return []
