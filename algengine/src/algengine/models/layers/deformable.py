"""Deformable sampling: weighted bilinear reads at freely placed points, in three forms with one result.

`torch` is plain PyTorch and runs everywhere, `triton` is our GPU kernel, `mmcv` is the compiled operator of full MMCV.

B batch, Q queries, M heads, D channels per head, L levels, P points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from algengine.models.layers import deformable_mmcv, deformable_triton
from simengine.errors import ConfigError

FORMS = ("auto", "torch", "triton", "mmcv")


def choose_form(name: str, device: torch.device) -> str:
    """Return the form that computes on `device`: `torch`, `triton` or `mmcv`.

    The GPU forms fall back to `torch` on the CPU, so one config serves both; `auto` takes the first of `triton`,
    `mmcv` and `torch` that is installed.

    Raises:
        ConfigError: the name is unknown, or its package is missing on a machine with a GPU.
    """
    if name not in FORMS:
        raise ConfigError(f"deformable is {name!r}, expected one of {', '.join(FORMS)}")
    if name == "torch":
        return name
    installed = {
        "triton": deformable_triton.is_available(device),
        "mmcv": deformable_mmcv.is_available(device),
    }
    if name == "auto":
        return next((form for form, there in installed.items() if there and device.type == "cuda"), "torch")
    if not installed[name] and device.type == "cuda":
        raise ConfigError(f"deformable is {name!r} but {name} has no such kernel here: use 'auto' or 'torch'")
    return name if installed[name] else "torch"


def deformable_sample(
    values: Sequence[Tensor], locations: Tensor, weights: Tensor, form: str = "auto"
) -> Tensor:
    """Return the weighted sum of bilinear samples (B, Q, M * D), in single precision also under autocast.

    Args:
        values: L maps (B, M * D, h, w).
        locations: (B, Q, M, L, P, 2) x, y in [0, 1] across each map, border to border; outside reads zero.
        weights: (B, Q, M, L, P).
        form: see `choose_form`.
    """
    chosen = choose_form(form, locations.device)
    if chosen == "torch":
        return sample_torch(values, locations, weights)
    shapes = tuple((value.shape[-2], value.shape[-1]) for value in values)
    tokens = (
        torch.cat([value.flatten(2) for value in values], dim=2).transpose(1, 2).contiguous()
    )  # B, S, M * D
    heads, points = locations.shape[2], locations.shape[4]
    if chosen == "mmcv":
        tokens = tokens.unflatten(2, (heads, -1))
        return deformable_mmcv.sample(
            tokens, shapes, locations.float().contiguous(), weights.float().contiguous()
        )
    cells = locations.float() * deformable_triton.level_sizes(shapes, tokens.device)[:, None]
    layout = deformable_triton.Layout(shapes, heads, 1, points, 0)
    raw = torch.cat([cells.flatten(2), weights.float().flatten(2)], dim=-1)
    return deformable_triton.attend(
        tokens[:, None], raw, layout, deformable_triton.References(), torch.float32
    )


def sample_torch(values: Sequence[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
    """Return what `deformable_sample` returns, by `grid_sample`."""
    batch, queries, heads = locations.shape[:3]
    precision = torch.promote_types(values[0].dtype, torch.float32)
    grid = (2.0 * locations - 1.0).permute(0, 2, 3, 1, 4, 5)  # B, M, L, Q, P, 2
    weights = weights.permute(0, 2, 3, 1, 4)  # B, M, L, Q, P
    total = None
    for level, value in enumerate(values):
        maps = value.reshape(batch * heads, -1, *value.shape[-2:]).to(precision)
        points = grid[:, :, level].reshape(batch * heads, queries, -1, 2).to(precision)
        read = functional.grid_sample(maps, points, align_corners=False)  # B*M, D, Q, P
        part = (read * weights[:, :, level].reshape(batch * heads, 1, queries, -1)).sum(-1)
        total = part if total is None else total + part
    return total.reshape(batch, -1, queries).transpose(1, 2)


def init_directional_offsets(
    layer: nn.Linear, heads: int, groups: int, points: int, scale: float = 1.0
) -> None:
    """Start an offset layer (heads * groups * points * 2 outputs) so that each head looks in its own direction."""
    nn.init.zeros_(layer.weight)
    angle = torch.arange(heads) * (2.0 * math.pi / heads)
    direction = torch.stack([angle.cos(), angle.sin()], dim=-1)[:, None, None]
    reach = torch.arange(1, points + 1, dtype=torch.float32)[None, None, :, None]
    bias = scale * (direction * reach).expand(heads, groups, points, 2)
    with torch.no_grad():
        layer.bias.copy_(bias.reshape(-1))
