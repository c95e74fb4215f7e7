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
    """N segments of a line, at least one.

    Attributes:
        table: (10, N) start x, y, way to the end x, y, end x, y, arc length at the start, difference to the one at
            the end, length [m] and its square, which is infinite where it would be 0.
    """

    table: torch.Tensor

    @property
    def num_segments(self) -> int:
        """Number of segments N."""
        return self.table.shape[1]


def upload_centerline(centerline: np.ndarray, device: torch.device) -> Centerline:
    """Return a line (N + 1, 2 or more columns) on `device`; along fewer than two points nobody gets anywhere."""
    line = np.asarray(centerline, dtype=np.float64)[:, :2]
    if len(line) < 2:
        line = np.zeros((2, 2))
    along, delta = polyline.arc_length(line), np.diff(line, axis=0)
    length2 = delta[:, 0] * delta[:, 0] + delta[:, 1] * delta[:, 1]
    divisor = np.where(length2 > 0.0, length2, np.inf)
    rows = (*line[:-1].T, *delta.T, *line[1:].T, along[:-1], np.diff(along), np.sqrt(length2), divisor)
    return Centerline(torch.from_numpy(np.stack(rows)).to(device))


def raw_progress(ego: EgoGeometry, line: Centerline) -> torch.Tensor:
    """Return the progress (P,) [m] of the box centre from the first to the last state, at least 0."""
    ends = torch.cat([ego.center[..., 0], ego.center[..., -1]], dim=1)
    parts = ends.split(max(_PAIRS // line.num_segments, 1), dim=1)
    first, last = torch.cat([locate(part, line) for part in parts]).chunk(2)
    return (last - first).clamp(min=0.0)


def locate(points: torch.Tensor, line: Centerline) -> torch.Tensor:
    """Return the arc length (M,) of the points of a line nearest to points (2, M), the first of several."""
    dx, dy, _, _, along, step, length, length2 = line.table[2:]
    points = points[..., None]
    px, py = points - line.table[:2, None]
    share = (px * dx + py * dy) / length2
    gap = torch.abs(px * dy - py * dx) / length
    gap = torch.where(share >= 1.0, torch.hypot(*(points - line.table[4:6, None])), gap)
    gap = torch.where(share <= 0.0, torch.hypot(px, py), gap)
    nearest = gap.argmin(dim=1)
    share = share.gather(1, nearest[:, None]).squeeze(1).clamp(0.0, 1.0)
    return along[nearest] + share * step[nearest]
