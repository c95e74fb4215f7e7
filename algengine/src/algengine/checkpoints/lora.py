"""Low-rank updates in published fine-tuned checkpoints: which weight each belongs to, and adding them to it.

`y = W x + b + B A x / r` with A (r, in) and B (out, r), so `W + B A / r` does the same in one layer.
"""

from __future__ import annotations

import re

from torch import Tensor

from algengine.errors import CheckpointError

_LAYER = r"planning_head\.transformer\.bev_interaction_layers\.\d+\."

_RULES: tuple[tuple[str, str], ...] = (
    (r"(planning_head\.pos_embed)_lora\.lora_(\d)", r"\1.\2"),
    (r"(planning_head\.status_embed)_lora\.lora_(\d)", r"\1.\2"),
    (r"(planning_head\.heads)_lora\.lora_([a-z]+)\.lora_(\d)", r"\1.\2.\3"),
    (r"(planning_head\.encoder\.self_attn\.)lora_(to_(?:q|k|v|out))", r"\1\2"),
    (r"(planning_head\.encoder\.)lora_(linear[12])", r"\1\2"),
    (rf"({_LAYER}attentions\.0\.(?:sampling_offsets|attention_weights|value_proj))_lora", r"\1"),
    (rf"({_LAYER}attentions\.0\.output_proj)_lora\.lora_(\d)", r"\1.\2"),
    (rf"({_LAYER}ffns\.0\.)lora_layers\.lora_0\.lora_0", r"\1layers.0.0"),
    (rf"({_LAYER}ffns\.0\.)lora_layers\.lora_1", r"\1layers.1"),
)


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


def _weight_name(name: str) -> str:
    stem = re.sub(r"\.[AB]\.weight$", "", name)
    for pattern, target in _RULES:
        match = re.fullmatch(pattern, stem)
        if match and stem != name:
            return match.expand(target) + ".weight"
    raise CheckpointError(
        f"the low-rank tensor {name} belongs to no part of the published planner: check the checkpoint"
    )
