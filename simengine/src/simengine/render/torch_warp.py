"""The warp of `distortion` in torch, on any device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def warp_colors(torch: Any, image: torch.Tensor, source_px: torch.Tensor, supersample: int) -> torch.Tensor:
    """Return an image (H', W', 3) float32 as `distortion.remap` samples it at places (H, W, 2), not rounded."""
    valid = ~torch.isnan(source_px[..., :1])
    across, down = _slopes(torch, source_px, 1), _slopes(torch, source_px, 0)
    planes = image.permute(2, 0, 1)[None]
    size = torch.tensor([image.shape[1], image.shape[0]], device=image.device)
    total = torch.zeros((*source_px.shape[:2], 3), device=image.device)
    steps = [(k + 0.5) / supersample - 0.5 for k in range(supersample)]
    for dy in steps:
        for dx in steps:
            places = source_px + dx * across + dy * down
            grid = torch.nan_to_num(places) * (2.0 / size) - 1.0
            sampled = torch.nn.functional.grid_sample(
                planes, grid[None], mode="bilinear", padding_mode="border", align_corners=False
            )
            total += sampled[0].permute(1, 2, 0)
    return torch.where(valid, total / supersample**2, 0.0)


def warp_depth(torch: Any, depth: torch.Tensor, source_px: torch.Tensor) -> torch.Tensor:
    """Return depth (H', W') picked at places (H, W, 2), 0 without a place."""
    column, row = torch.nan_to_num(source_px).to(torch.int64).unbind(-1)
    picked = depth[row.clamp(0, depth.shape[0] - 1), column.clamp(0, depth.shape[1] - 1)]
    return torch.where(torch.isnan(source_px[..., 0]), 0.0, picked)


def _slopes(torch: Any, places: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the change of places (H, W, 2) per pixel along `axis`, zero at the edge of what has a place."""
    count = places.shape[axis]
    at = torch.arange(count, device=places.device)
    after, before = (at + 1).clamp(max=count - 1), (at - 1).clamp(min=0)
    steps = (after - before).clamp(min=1).reshape([-1 if k == axis else 1 for k in range(3)])
    change = (places.index_select(axis, after) - places.index_select(axis, before)) / steps
    return torch.nan_to_num(change)
