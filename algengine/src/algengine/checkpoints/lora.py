"""Low-rank updates in published fine-tuned checkpoints: reading them, adding them to their weights, writing ours.

`y = W x + b + B A x / r` with A (r, in) and B (out, r), so `W + B A / r` does the same in one layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from algengine.checkpoints.lora_names import adapted_layer, adapter_names
from algengine.errors import CheckpointError


def is_lora(name: str) -> bool:
    """Return whether a tensor belongs to a low-rank update."""
    return "lora" in name


def split_lora(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, tuple[Tensor, Tensor]]]:
    """Return the plain tensors, and the updates (A, B) by the published name of the weight that they change.

    Raises:
        CheckpointError: an update is unknown or has only one of its two matrices.
    """
    plain = {name: value for name, value in state.items() if not is_lora(name)}
    halves: dict[str, dict[str, Tensor]] = {}
    for name in state.keys() - plain.keys():
        halves.setdefault(_weight_name(name), {})[name.split(".")[-2]] = state[name]
    for name, pair in halves.items():
        if pair.keys() != {"A", "B"}:
            raise CheckpointError(
                f"the low-rank update of {name} has {', '.join(sorted(pair))} only, expected A and B: "
                "take a complete checkpoint"
            )
    return plain, {name: (pair["A"], pair["B"]) for name, pair in halves.items()}


def merge_lora(plain: dict[str, Tensor], updates: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors with every update added to its weight.

    Raises:
        CheckpointError: a weight is missing or does not fit its update.
    """
    merged = dict(plain)
    for name, (a, b) in updates.items():
        weight = plain.get(name)
        if weight is None or weight.shape != (b.shape[0], a.shape[1]) or a.shape[0] != b.shape[1]:
            shape = "no tensor" if weight is None else tuple(weight.shape)
            raise CheckpointError(
                f"the low-rank update of {name} has shapes {tuple(a.shape)} and {tuple(b.shape)} for {shape}: "
                "take a complete checkpoint"
            )
        merged[name] = weight + (b @ a) / a.shape[0]
    return merged


def to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return adapters under published names; `state` has keys `<layer>.lora.A` and `.B`, others are left out.

    Raises:
        CheckpointError: the published planner has no adapter at some layer.
    """
    named = {}
    for key, value in state.items():
        layer, _, which = key.rpartition(".lora.")
        if layer:
            for name, part in zip(adapter_names(layer), value, strict=True):
                named[f"{name}.{which}.weight"] = part.contiguous()
    return named


def _weight_name(name: str) -> str:
    """Return the name of the weight that a half of an update, `<adapter>.A.weight` or B, belongs to."""
    return adapted_layer(re.sub(r"\.[AB]\.weight$", "", name)) + ".weight"
