"""Metres along the centre line of many points at once; the twin of `metrics.pdm.progress.raw_progress`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simengine.geometry import polyline
from simengine.gpu.ego_geometry import EgoGeometry

_PAIRS = 1 << 24
"""So many pairs of point and segment are looked at together."""


@dataclass(frozen=True)
class Centerline:
    """N segments of a line.

    Attributes:
        x: (N,) start [m].
        y: (N,) start [m].
        dx: (N,) to the end [m].
        dy: (N,) to the end [m].
        end_x: (N,) end [m].
        end_y: (N,) end [m].
        along: (N,) arc length at the start [m].
        step: (N,) difference to the arc length at the end [m].
    """

    x: torch.Tensor
    y: torch.Tensor
    dx: torch.Tensor
    dy: torch.Tensor
    end_x: torch.Tensor
    end_y: torch.Tensor
    along: torch.Tensor
    step: torch.Tensor

    @property
    def num_segments(self) -> int:
        """Number of segments N."""
        return len(self.x)


def upload_centerline(centerline: np.ndarray, device: torch.device) -> Centerline:
    """Return a line (N + 1, 2 or more columns) on `device`; fewer than two points are no segment."""
    line = np.asarray(centerline, dtype=np.float64)[:, :2]
    along = polyline.arc_length(line) if len(line) else np.zeros(0)
    delta = np.diff(line, axis=0)
    rows = np.stack([*line[:-1].T, *delta.T, *line[1:].T, along[:-1], np.diff(along)])
    return Centerline(*torch.from_numpy(rows).to(device))


def raw_progress(ego: EgoGeometry, line: Centerline) -> torch.Tensor:
    """Return the progress (P,) [m] of the box centre from the first to the last state, at least 0."""
    if line.num_segments == 0:
        return torch.zeros_like(ego.speed[:, 0])
    ends = torch.cat([ego.center[..., 0], ego.center[..., -1]], dim=1)
    parts = ends.split(max(_PAIRS // line.num_segments, 1), dim=1)
    first, last = torch.cat([locate(*part, line) for part in parts]).chunk(2)
    return (last - first).clamp(min=0.0)


def locate(x: torch.Tensor, y: torch.Tensor, line: Centerline) -> torch.Tensor:
    """Return the arc length (M,) of the points of a line nearest to points (M,), the first of several."""
    px, py = x[:, None] - line.x, y[:, None] - line.y
    length2 = line.dx * line.dx + line.dy * line.dy
    share = (px * line.dx + py * line.dy) / torch.where(length2 > 0.0, length2, torch.inf)
    gap = torch.abs(px * line.dy - py * line.dx) / torch.sqrt(length2)
    gap = torch.where(share >= 1.0, torch.hypot(x[:, None] - line.end_x, y[:, None] - line.end_y), gap)
    gap = torch.where(share <= 0.0, torch.hypot(px, py), gap)
    nearest = gap.argmin(dim=1)
    share = share.gather(1, nearest[:, None]).squeeze(1).clamp(0.0, 1.0)
    return line.along[nearest] + share * line.step[nearest]
