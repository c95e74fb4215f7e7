"""Which Gaussians each tile of rays must look at, found with torch; `binning` does the same for the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simengine.render.lidar.binning import SLACK, TILE_AZIMUTHS, TILE_BEAMS, TURN
from simengine.render.lidar.pattern import SpinningLidar

if TYPE_CHECKING:
    import torch


def find_pairs(
    scene: dict[str, torch.Tensor],
    lidar: SpinningLidar,
    origin: torch.Tensor,
    axes: torch.Tensor,
    max_range: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tile (P,) and Gaussian (P,) of all pairs that may meet.

    Args:
        scene: columns of `Surfels` in double precision.
        lidar: whose rays they may meet.
        origin: (3,) of the sensor in the frame of the Gaussians.
        axes: (3, 3) rows are the x, y and z axes of the sensor in the frame of the Gaussians.
        max_range: Gaussians beyond it are left out [m].
    """
    import torch

    first, last, low, high = _boxes(scene, lidar, origin, axes, max_range)
    wide = -(-lidar.azimuths // TILE_AZIMUTHS)
    a = first // TILE_AZIMUTHS
    b = last.clamp(max=lidar.azimuths - 1) // TILE_AZIMUTHS
    rest = torch.minimum((last - lidar.azimuths).div(TILE_AZIMUTHS, rounding_mode="floor"), a - 1)
    rest = torch.where(last >= lidar.azimuths, rest, torch.full_like(rest, -1))
    across = (b - a + 1) + (rest + 1)
    bottom = low // TILE_BEAMS
    along = (high - 1).div(TILE_BEAMS, rounding_mode="floor") - bottom + 1
    counts = torch.where(high > low, across * along, torch.zeros_like(across))
    rows = torch.repeat_interleave(torch.arange(len(counts), device=origin.device), counts)
    at = torch.arange(len(rows), device=origin.device) - (counts.cumsum(0) - counts)[rows]
    column = at % across[rows]
    straight = (b - a + 1)[rows]
    column = torch.where(column < straight, a[rows] + column, column - straight)
    return (bottom[rows] + at // across[rows]) * wide + column, rows


def _boxes(
    scene: dict[str, torch.Tensor],
    lidar: SpinningLidar,
    origin: torch.Tensor,
    axes: torch.Tensor,
    max_range: float,
) -> tuple[torch.Tensor, ...]:
    """Return first and last azimuth, first beam and the one after the last, each (K,); see `binning.bound`."""
    import torch

    away = scene["means"] - origin
    x, y, z = (away @ axes.T).unbind(1)
    flat = torch.hypot(x, y)
    c = torch.where(flat > 1e-9, x / flat, torch.ones_like(flat))
    s = torch.where(flat > 1e-9, y / flat, torch.zeros_like(flat))
    along = c[:, None] * axes[0] + s[:, None] * axes[1]
    aside = c[:, None] * axes[1] - s[:, None] * axes[0]

    def extent(direction: torch.Tensor) -> torch.Tensor:
        share = torch.einsum("kij,kj->ki", scene["whiten"], direction) * scene["variances"]
        return (scene["reach"] + SLACK) * share.norm(dim=1)

    out, side, up = extent(along), extent(aside), extent(axes[2].expand_as(along))
    line = away / away.norm(dim=1, keepdim=True).clamp(min=1e-9)
    near = away.norm(dim=1) - extent(line)
    inner, outer = flat - out, torch.hypot(flat + out, side)
    step = TURN / lidar.azimuths
    middle, half = torch.atan2(s, c), torch.atan2(side, inner) + SLACK
    first, last = torch.ceil((middle - half) / step), torch.floor((middle + half) / step)
    misses = (last < first) & (inner > 0.0)
    turn = torch.floor(first / lidar.azimuths) * lidar.azimuths
    whole = (inner <= 0.0) | (last - first >= lidar.azimuths - 1)
    last = torch.where(whole, torch.full_like(last, lidar.azimuths - 1), last - turn)
    first = torch.where(whole, torch.zeros_like(first), first - turn)
    inner = inner.clamp(min=0.0)
    high, low = z + up, z - up
    top = torch.atan2(high, torch.where(high > 0.0, inner, outer)) + SLACK
    bottom = torch.atan2(low, torch.where(low < 0.0, inner, outer)) - SLACK
    elevations = torch.tensor(np.radians(lidar.elevations_deg), device=origin.device)
    begin = torch.searchsorted(elevations, bottom.contiguous())
    end = torch.searchsorted(elevations, top.contiguous(), right=True)
    end = torch.where(misses | (near > max_range), begin, end)
    return first.long(), last.long(), begin, end
