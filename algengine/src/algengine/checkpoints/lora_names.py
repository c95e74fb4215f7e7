"""Names of published low-rank updates, of the layers that they change, and of these layers here.

Published adapters are pairs `<name>.A.weight` (r, in) and `<name>.B.weight` (out, r) beside the layer (reference:
algengine.md 3.3).
"""

from __future__ import annotations

import re

from algengine.errors import CheckpointError

_LAYER = "transformer.bev_interaction_layers.#"
_ATTENTION, _FEED_FORWARD = f"{_LAYER}.attentions.0", f"{_LAYER}.ffns.0"
_NAMES = (
    # Layer here; layer and adapter there, without `planning_head.`; # is a number.
    ("head.encoder.embed.#", "pos_embed.#", "pos_embed_lora.lora_#"),
    ("head.status.embed.#", "status_embed.#", "status_embed_lora.lora_#"),
    ("head.status.layers.#", "status_embed.#", "status_embed_lora.lora_#"),
    ("head.encoder.qkv", "encoder.self_attn.to_q", "encoder.self_attn.lora_to_q"),
    ("head.encoder.qkv", "encoder.self_attn.to_k", "encoder.self_attn.lora_to_k"),
    ("head.encoder.qkv", "encoder.self_attn.to_v", "encoder.self_attn.lora_to_v"),
    ("head.encoder.output", "encoder.self_attn.to_out", "encoder.self_attn.lora_to_out"),
    ("head.encoder.feed_forward.layers.0", "encoder.linear1", "encoder.lora_linear1"),
    ("head.encoder.feed_forward.layers.3", "encoder.linear2", "encoder.lora_linear2"),
    (
        "head.decoder.#.attention.offsets",
        f"{_ATTENTION}.sampling_offsets",
        f"{_ATTENTION}.sampling_offsets_lora",
    ),
    (
        "head.decoder.#.attention.weights",
        f"{_ATTENTION}.attention_weights",
        f"{_ATTENTION}.attention_weights_lora",
    ),
    ("head.decoder.#.attention.value", f"{_ATTENTION}.value_proj", f"{_ATTENTION}.value_proj_lora"),
    (
        "head.decoder.#.attention.output.#",
        f"{_ATTENTION}.output_proj.#",
        f"{_ATTENTION}.output_proj_lora.lora_#",
    ),
    (
        "head.decoder.#.feed_forward.layers.0",
        f"{_FEED_FORWARD}.layers.0.0",
        f"{_FEED_FORWARD}.lora_layers.lora_0.lora_0",
    ),
    (
        "head.decoder.#.feed_forward.layers.3",
        f"{_FEED_FORWARD}.layers.1",
        f"{_FEED_FORWARD}.lora_layers.lora_1",
    ),
    ("head.imitation.#", "heads.imi.#", "heads_lora.lora_imi.lora_#"),
    ("head.sub_scores.no_at_fault_collisions.#", "heads.noc.#", "heads_lora.lora_noc.lora_#"),
    ("head.sub_scores.drivable_area_compliance.#", "heads.da.#", "heads_lora.lora_da.lora_#"),
    ("head.sub_scores.time_to_collision_within_bound.#", "heads.ttc.#", "heads_lora.lora_ttc.lora_#"),
    ("head.sub_scores.comfort.#", "heads.comfort.#", "heads_lora.lora_comfort.lora_#"),
    ("head.sub_scores.ego_progress.#", "heads.progress.#", "heads_lora.lora_progress.lora_#"),
)


def adapter_names(layer: str) -> tuple[str, ...]:
    """Return the published names of the adapters of a layer here: three for the fused query-key-value projection.

    Raises:
        CheckpointError: the published planner has no adapter there.
    """
    names = [_renamed(layer, ours, f"planning_head.{adapter}") for ours, _, adapter in _NAMES]
    if not any(names):
        raise CheckpointError(f"the layer {layer} has no published name, expected one of the planning head's")
    return tuple(name for name in names if name)


def adapted_layer(adapter: str) -> str:
    """Return the published name of the layer that a published adapter changes.

    Raises:
        CheckpointError: the published planner has no such adapter.
    """
    for _, layer, pattern in _NAMES:
        if name := _renamed(adapter, f"planning_head.{pattern}", f"planning_head.{layer}"):
            return name
    raise CheckpointError(
        f"the low-rank tensor {adapter} belongs to no part of the published planner: check the checkpoint"
    )


def _renamed(name: str, pattern: str, target: str) -> str:
    """Return `target` with the numbers of `name`, empty unless it fits `pattern`."""
    match = re.fullmatch(re.escape(pattern).replace(r"\#", r"(\d+)"), name)
    return target.replace("#", "{}").format(*match.groups()) if match else ""
