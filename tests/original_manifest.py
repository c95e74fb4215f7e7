"""Names and shapes of the published planner's checkpoint, written down from the reference, at any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

Entry = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Sizes:
    """Sizes of the published planner; the defaults are its own."""

    dims: int = 256
    width: int = 64  # channels of the backbone's first layer
    grid: int = 200
    heads: int = 8
    cameras: int = 8
    plans: int = 8192
    hidden: int = 1024
    layers: int = 6
    decoder_layers: int = 3
    vocabulary_steps: int = 40
    sub_scores: bool = False
    rank: int = 0  # of the low-rank updates; 0 has none


def planner_entries(sizes: Sizes = Sizes()) -> Iterator[Entry]:
    """Yield everything of a planner's checkpoint that counts."""
    yield from _backbone(sizes)
    yield from _bev(sizes)
    yield from _planning_head(sizes)
    if sizes.rank:
        yield from _low_rank(sizes)


def perception_entries(sizes: Sizes = Sizes()) -> Iterator[Entry]:
    """Yield everything of a perception checkpoint that counts for planning."""
    yield from _backbone(sizes)
    yield from _bev(sizes)


def unused_entries(sizes: Sizes = Sizes()) -> Iterator[Entry]:
    """Yield what planners carry along: detection decoder, branches, tracks; with some of the map head."""
    c = sizes.dims
    yield "pts_bbox_head.query_embedding.weight", (900, 2 * c)
    yield "pts_bbox_head.code_weights", (10,)
    yield from _linear("pts_bbox_head.transformer.reference_points", c, 3)
    for i in range(sizes.layers):
        base = f"pts_bbox_head.transformer.decoder.layers.{i}"
        yield f"{base}.attentions.0.attn.in_proj_weight", (3 * c, c)
        yield f"{base}.attentions.0.attn.in_proj_bias", (3 * c,)
        yield from _linear(f"{base}.attentions.0.attn.out_proj", c, c)
        yield from _linear(f"{base}.attentions.1.sampling_offsets", c, 64)
        yield from _linear(f"{base}.attentions.1.attention_weights", c, 32)
        yield from _linear(f"{base}.attentions.1.value_proj", c, c)
        yield from _linear(f"{base}.attentions.1.output_proj", c, c)
        yield from _feed_forward(base, c)
        yield from _norms(base, c, 3)
        for j in (0, 3):
            yield from _linear(f"pts_bbox_head.cls_branches.{i}.{j}", c, c)
            yield from _norm(f"pts_bbox_head.cls_branches.{i}.{j + 1}", c)
        yield from _linear(f"pts_bbox_head.cls_branches.{i}.6", c, 7)
        for branch, out in (("reg", 10), ("past_traj_reg", 14)):
            yield from _linear(f"pts_bbox_head.{branch}_branches.{i}.0", c, c)
            yield from _linear(f"pts_bbox_head.{branch}_branches.{i}.2", c, c)
            yield from _linear(f"pts_bbox_head.{branch}_branches.{i}.4", c, out)
    yield "query_embedding.weight", (901, 2 * c)
    yield from _linear("reference_points", c, 3)
    yield from _linear("bbox_size_fc", c, 3)
    yield from _linear("query_interact.linear1", c, c)
    yield from _linear("memory_bank.save_proj", c, 1)
    yield "seg_head.query_embedding.weight", (100, 2 * c)
    yield "criterion.code_weights", (10,)


def make_state(entries: Iterator[Entry], seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random tensors of the manifest's shapes, of a size that keeps activations tame."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in entries:
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(1)
        elif name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            fan_in = shape[-1] if len(shape) == 2 else max(1, torch.Size(shape[1:]).numel())
            state[name] = torch.randn(shape, generator=generator) / fan_in**0.5
    return state


def _linear(name: str, inputs: int, outputs: int) -> Iterator[Entry]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, dims: int) -> Iterator[Entry]:
    yield f"{name}.weight", (dims,)
    yield f"{name}.bias", (dims,)


def _norms(base: str, dims: int, count: int) -> Iterator[Entry]:
    for i in range(count):
        yield from _norm(f"{base}.norms.{i}", dims)


def _feed_forward(base: str, dims: int) -> Iterator[Entry]:
    yield from _linear(f"{base}.ffns.0.layers.0.0", dims, 2 * dims)
    yield from _linear(f"{base}.ffns.0.layers.1", 2 * dims, dims)


def _batch_norm(name: str, dims: int) -> Iterator[Entry]:
    yield from _norm(name, dims)
    yield f"{name}.running_mean", (dims,)
    yield f"{name}.running_var", (dims,)
    yield f"{name}.num_batches_tracked", ()


def _backbone(sizes: Sizes) -> Iterator[Entry]:
    w, c = sizes.width, sizes.dims
    yield "img_backbone.conv1.weight", (w, 3, 7, 7)
    yield from _batch_norm("img_backbone.bn1", w)
    inputs = w
    for layer, blocks in enumerate((3, 4, 6, 3)):
        width = w * 2**layer
        for block in range(blocks):
            base = f"img_backbone.layer{layer + 1}.{block}"
            yield f"{base}.conv1.weight", (width, inputs, 1, 1)
            yield f"{base}.conv2.weight", (width, width, 3, 3)
            yield f"{base}.conv3.weight", (4 * width, width, 1, 1)
            for i, channels in enumerate((width, width, 4 * width)):
                yield from _batch_norm(f"{base}.bn{i + 1}", channels)
            if block == 0:
                yield f"{base}.downsample.0.weight", (4 * width, inputs, 1, 1)
                yield from _batch_norm(f"{base}.downsample.1", 4 * width)
            inputs = 4 * width
    for i in range(3):
        yield f"img_neck.lateral_convs.{i}.conv.weight", (c, 8 * w * 2**i, 1, 1)
        yield f"img_neck.lateral_convs.{i}.conv.bias", (c,)
    for i in range(4):
        yield f"img_neck.fpn_convs.{i}.conv.weight", (c, c, 3, 3)
        yield f"img_neck.fpn_convs.{i}.conv.bias", (c,)


def _bev(sizes: Sizes) -> Iterator[Entry]:
    c, m = sizes.dims, sizes.heads
    yield "pts_bbox_head.bev_embedding.weight", (sizes.grid**2, c)
    yield "pts_bbox_head.positional_encoding.row_embed.weight", (sizes.grid, c // 2)
    yield "pts_bbox_head.positional_encoding.col_embed.weight", (sizes.grid, c // 2)
    base = "pts_bbox_head.transformer"
    yield f"{base}.level_embeds", (4, c)
    yield f"{base}.cams_embeds", (sizes.cameras, c)
    yield from _linear(f"{base}.can_bus_mlp.0", 18, c // 2)
    yield from _linear(f"{base}.can_bus_mlp.2", c // 2, c)
    yield from _norm(f"{base}.can_bus_mlp.norm", c)
    for i in range(sizes.layers):
        layer = f"{base}.encoder.layers.{i}"
        yield from _linear(f"{layer}.attentions.0.sampling_offsets", 2 * c, m * 2 * 4 * 2)
        yield from _linear(f"{layer}.attentions.0.attention_weights", 2 * c, m * 2 * 4)
        yield from _linear(f"{layer}.attentions.0.value_proj", c, c)
        yield from _linear(f"{layer}.attentions.0.output_proj", c, c)
        yield from _linear(f"{layer}.attentions.1.deformable_attention.sampling_offsets", c, m * 4 * 8 * 2)
        yield from _linear(f"{layer}.attentions.1.deformable_attention.attention_weights", c, m * 4 * 8)
        yield from _linear(f"{layer}.attentions.1.deformable_attention.value_proj", c, c)
        yield from _linear(f"{layer}.attentions.1.output_proj", c, c)
        yield from _feed_forward(layer, c)
        yield from _norms(layer, c, 3)


def _planning_head(sizes: Sizes) -> Iterator[Entry]:
    c, h, m = sizes.dims, sizes.hidden, sizes.heads
    yield "planning_head.vocab", (sizes.plans, sizes.vocabulary_steps, 3)
    yield from _linear("planning_head.pos_embed.0", sizes.vocabulary_steps * 26, h)
    yield from _linear("planning_head.pos_embed.2", h, c)
    yield from _linear("planning_head.status_embed.0", 30, c)
    for part in ("q", "k", "v", "out"):
        yield f"planning_head.encoder.self_attn.to_{part}.weight", (c, c)
    yield from _linear("planning_head.encoder.linear1", c, 4 * c)
    yield from _linear("planning_head.encoder.linear2", 4 * c, c)
    yield from _norm("planning_head.encoder.norm1", c)
    yield from _norm("planning_head.encoder.norm3", c)
    for i in range(sizes.decoder_layers):
        layer = f"planning_head.transformer.bev_interaction_layers.{i}"
        yield from _linear(f"{layer}.attentions.0.sampling_offsets", c, m * 8 * 4 * 2)
        yield from _linear(f"{layer}.attentions.0.attention_weights", c, m * 8 * 4)
        yield from _linear(f"{layer}.attentions.0.value_proj", c, c)
        yield from _linear(f"{layer}.attentions.0.output_proj.0", 8 * c, c)
        yield from _norm(f"{layer}.attentions.0.output_proj.1", c)
        yield from _feed_forward(layer, c)
        yield from _norms(layer, c, 2)
    yield from _linear("planning_head.heads.imi.0", c, h)
    yield from _linear("planning_head.heads.imi.2", h, h)
    yield from _linear("planning_head.heads.imi.4", h, 1)
    for name in ("noc", "da", "ttc", "comfort", "progress") if sizes.sub_scores else ():
        yield from _linear(f"planning_head.heads.{name}.0", c, h)
        yield from _linear(f"planning_head.heads.{name}.2", h, 1)


def _low_rank(sizes: Sizes) -> Iterator[Entry]:
    c, h, m, head = sizes.dims, sizes.hidden, sizes.heads, "planning_head"
    updates = [
        (f"{head}.pos_embed_lora.lora_0", sizes.vocabulary_steps * 26, h),
        (f"{head}.pos_embed_lora.lora_2", h, c),
        (f"{head}.status_embed_lora.lora_0", 30, c),
        (f"{head}.heads_lora.lora_imi.lora_0", c, h),
        (f"{head}.heads_lora.lora_imi.lora_2", h, h),
        (f"{head}.heads_lora.lora_imi.lora_4", h, 1),
        (f"{head}.encoder.lora_linear1", c, 4 * c),
        (f"{head}.encoder.lora_linear2", 4 * c, c),
    ]
    updates += [(f"{head}.encoder.self_attn.lora_to_{part}", c, c) for part in ("q", "k", "v", "out")]
    for name in ("noc", "da", "ttc", "comfort", "progress") if sizes.sub_scores else ():
        updates += [
            (f"{head}.heads_lora.lora_{name}.lora_0", c, h),
            (f"{head}.heads_lora.lora_{name}.lora_2", h, 1),
        ]
    for i in range(sizes.decoder_layers):
        layer = f"{head}.transformer.bev_interaction_layers.{i}"
        updates += [
            (f"{layer}.attentions.0.sampling_offsets_lora", c, m * 8 * 4 * 2),
            (f"{layer}.attentions.0.attention_weights_lora", c, m * 8 * 4),
            (f"{layer}.attentions.0.value_proj_lora", c, c),
            (f"{layer}.attentions.0.output_proj_lora.lora_0", 8 * c, c),
            (f"{layer}.ffns.0.lora_layers.lora_0.lora_0", c, 2 * c),
            (f"{layer}.ffns.0.lora_layers.lora_1", 2 * c, c),
        ]
    for name, inputs, outputs in updates:
        yield f"{name}.A.weight", (sizes.rank, inputs)
        yield f"{name}.B.weight", (outputs, sizes.rank)
