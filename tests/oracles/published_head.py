"""The published planning head plan by plan, from a state dict with the published names (float64)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from oracles.deformable import bilinear
from oracles.published_encoder import linear, norm

HEAD = "planning_head."


def fourier(x: float, y: float) -> list[float]:
    """Return sin x, sin y, cos x, cos y for each of the frequencies 1, 2, ... 32."""
    out = []
    for k in range(6):
        f = 2.0**k
        out += [math.sin(f * x), math.sin(f * y), math.cos(f * x), math.cos(f * y)]
    return out


def score(
    state: dict[str, Tensor],
    bev: Tensor,
    half: float,
    commands: Tensor,
    past: Tensor,
    valid: Tensor,
) -> dict[str, Tensor]:
    """Return `imi` logits, probabilities of the sub-scores (if any), and `scores` (B, K).

    Args:
        state: published names, float64.
        bev: (B, C, size, size).
        half: half the edge of the map [m].
        commands: (B, 4) three past commands and the present one.
        past: (B, 3, 3) past poses in the present frame, oldest first.
        valid: (B, 3) which of them exist.
    """
    plans = _embed_plans(state)
    results: dict[str, list[Tensor]] = {}
    for b in range(len(bev)):
        status = _embed_status(state, commands[b], past[b], valid[b])
        query = _decode(state, plans + status, bev[b], half)
        for name in ("imi", "noc", "da", "ttc", "comfort", "progress"):
            if f"{HEAD}heads.{name}.0.weight" in state:
                x, last = query, 4 if name == "imi" else 2
                for layer in range(0, last, 2):
                    x = linear(state, f"{HEAD}heads.{name}.{layer}", x).relu()
                x = linear(state, f"{HEAD}heads.{name}.{last}", x)[:, 0]
                results.setdefault(name, []).append(x if name == "imi" else 1 / (1 + (-x).exp()))
    out = {name: torch.stack(rows) for name, rows in results.items()}
    likelihood = out["imi"] - out["imi"].exp().sum(-1, keepdim=True).log()
    out["scores"] = likelihood
    if "noc" in out:
        average = 5 * out["ttc"] + 2 * out["comfort"] + 5 * out["progress"]
        out["scores"] = (
            0.05 * likelihood + 0.5 * out["noc"].log() + 0.5 * out["da"].log() + 8.0 * average.log()
        )
    return out


def _embed_status(state: dict[str, Tensor], commands: Tensor, past: Tensor, valid: Tensor) -> Tensor:
    """Return the largest embedding of each channel over valid past steps, and zero of the present one."""
    best = torch.zeros_like(state[HEAD + "status_embed.0.bias"])  # the present step, times zero
    for t in range(3):
        one_hot = [float(commands[t] == c) for c in range(4)]
        x, y, yaw = past[t].tolist()
        code = torch.tensor([*one_hot, *fourier(x, y), math.cos(yaw), math.sin(yaw)], dtype=best.dtype)
        step = linear(state, HEAD + "status_embed.0", code).relu() * float(valid[t])
        best = torch.maximum(best, step)
    return best


def _embed_plans(state: dict[str, Tensor]) -> Tensor:
    vocabulary = state[HEAD + "vocab"]
    codes = [
        [v for x, y, yaw in plan.tolist() for v in (*fourier(x, y), math.cos(yaw), math.sin(yaw))]
        for plan in vocabulary
    ]
    tokens = linear(state, HEAD + "pos_embed.0", torch.tensor(codes, dtype=vocabulary.dtype)).relu()
    tokens = linear(state, HEAD + "pos_embed.2", tokens)
    base = HEAD + "encoder."
    q, k, v = (tokens @ state[f"{base}self_attn.to_{part}.weight"].T for part in "qkv")
    depth = tokens.shape[1] // HEADS
    mixed = torch.zeros_like(tokens)
    for m in range(HEADS):
        part = slice(m * depth, (m + 1) * depth)
        for i in range(len(tokens)):
            logits = torch.stack([q[i, part] @ k[j, part] for j in range(len(tokens))]) / depth**0.5
            mixed[i, part] = logits.softmax(-1) @ v[:, part]
    tokens = norm(state, base + "norm1", tokens + mixed @ state[base + "self_attn.to_out.weight"].T)
    hidden = linear(state, base + "linear1", tokens).relu()
    return norm(state, base + "norm3", tokens + linear(state, base + "linear2", hidden))


HEADS = 2
"""Attention heads of the reduced planner that the tests build."""


def _decode(state: dict[str, Tensor], query: Tensor, bev: Tensor, half: float) -> Tensor:
    ends = state[HEAD + "vocab"][:, -1, :2]
    size, dims, layer = bev.shape[-1], len(bev), 0
    depth = dims // HEADS
    while f"{HEAD}transformer.bev_interaction_layers.{layer}.norms.0.weight" in state:
        base = f"{HEAD}transformer.bev_interaction_layers.{layer}."
        value = linear(state, base + "attentions.0.value_proj", bev.flatten(1).T).T.reshape(
            HEADS, depth, size, size
        )
        rows = []
        for i, end in enumerate(ends):
            offsets = linear(state, base + "attentions.0.sampling_offsets", query[i]).reshape(HEADS, 8, 4, 2)
            weights = linear(state, base + "attentions.0.attention_weights", query[i]).reshape(HEADS, 8, 4)
            weights = weights.softmax(-1)
            read = torch.zeros(8, dims, dtype=bev.dtype)
            for m in range(HEADS):
                for s in range(8):
                    for k in range(4):
                        where = (end + half) / (2 * half) + offsets[m, s, k] / size
                        sample = bilinear(value[m], *where.tolist())
                        read[s, m * depth : (m + 1) * depth] += weights[m, s, k] * sample
            out = linear(state, base + "attentions.0.output_proj.0", read.flatten())
            rows.append(norm(state, base + "attentions.0.output_proj.1", out).relu())
        query = norm(state, base + "norms.0", query + torch.stack(rows))
        hidden = linear(state, base + "ffns.0.layers.0.0", query).relu()
        query = norm(state, base + "norms.1", query + linear(state, base + "ffns.0.layers.1", hidden))
        layer += 1
    return query
