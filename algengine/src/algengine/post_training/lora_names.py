"""Names and shapes of adapters in published checkpoints (reference: algengine.md 3.3), both ways.

There every adapter is a pair `<name>.A.weight` (r, in) and `<name>.B.weight` (out, r) beside the layer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from algengine.errors import CheckpointError

_HEADS = {
    "no_at_fault_collisions": "noc",
    "drivable_area_compliance": "da",
    "time_to_collision_within_bound": "ttc",
    "comfort": "comfort",
    "ego_progress": "progress",
}
_LAYER = r"planning_head.transformer.bev_interaction_layers.\1"
_PATTERNS = (
    (r"head\.encoder\.embed\.(\d)", r"planning_head.pos_embed_lora.lora_\1"),
    (r"head\.status\.(?:embed|layers)\.(\d)", r"planning_head.status_embed_lora.lora_\1"),
    (r"head\.imitation\.(\d)", r"planning_head.heads_lora.lora_imi.lora_\1"),
    (r"head\.encoder\.output", r"planning_head.encoder.self_attn.lora_to_out"),
    (r"head\.encoder\.feed_forward\.layers\.0", r"planning_head.encoder.lora_linear1"),
    (r"head\.encoder\.feed_forward\.layers\.3", r"planning_head.encoder.lora_linear2"),
    (r"head\.decoder\.(\d+)\.attention\.offsets", rf"{_LAYER}.attentions.0.sampling_offsets_lora"),
    (r"head\.decoder\.(\d+)\.attention\.weights", rf"{_LAYER}.attentions.0.attention_weights_lora"),
    (r"head\.decoder\.(\d+)\.attention\.value", rf"{_LAYER}.attentions.0.value_proj_lora"),
    (r"head\.decoder\.(\d+)\.attention\.output\.0", rf"{_LAYER}.attentions.0.output_proj_lora.lora_0"),
    (r"head\.decoder\.(\d+)\.feed_forward\.layers\.0", rf"{_LAYER}.ffns.0.lora_layers.lora_0.lora_0"),
    (r"head\.decoder\.(\d+)\.feed_forward\.layers\.3", rf"{_LAYER}.ffns.0.lora_layers.lora_1"),
)


def published_names(path: str) -> tuple[str, ...]:
    """Return the published names of the adapter of a layer, three for the fused query-key-value projection.

    Raises:
        CheckpointError: the published planner has no adapter there.
    """
    if path == "head.encoder.qkv":
        return tuple(f"planning_head.encoder.self_attn.lora_to_{part}" for part in "qkv")
    if found := re.fullmatch(r"head\.sub_scores\.(\w+)\.(\d)", path):
        return (f"planning_head.heads_lora.lora_{_HEADS[found[1]]}.lora_{found[2]}",)
    for pattern, name in _PATTERNS:
        if re.fullmatch(pattern, path):
            return (re.sub(pattern, name, path),)
    raise CheckpointError(f"the layer {path} has no published name, expected one of the planning head's")


def to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return adapters under published names; `state` has keys `<layer>.lora.A` and `.B`, others are left out."""
    named = {}
    for key, value in state.items():
        path, _, which = key.rpartition(".lora.")
        if path:
            for name, part in zip(published_names(path), value, strict=True):
                named[f"{name}.{which}.weight"] = part.contiguous()
    return named


def from_published(state: Mapping[str, Tensor], layers: tuple[str, ...]) -> dict[str, Tensor]:
    """Return keys `<layer>.lora.A` and `.B` for `layers` from a state dict with published names.

    Raises:
        CheckpointError: an adapter is missing.
    """
    ours = {}
    for path in layers:
        for which in "AB":
            names = [f"{name}.{which}.weight" for name in published_names(path)]
            missing = [name for name in names if name not in state]
            if missing:
                raise CheckpointError(
                    f"there is no adapter {missing[0]}, expected one for every rule: check the rank"
                )
            ours[f"{path}.lora.{which}"] = torch.stack([state[name] for name in names])
    return ours
