"""A path to drive along: poses by arc length, and the corridor around it.

Source: `PDMPath` of NAVSIM v1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.ops import substring

from simengine.geometry import polyline

FIRST_DISTANCE = 1e-5
# Corners of the corridor are rounded like those of the reference.
QUADRANT_SEGMENTS = 16


@dataclass(frozen=True)
class DrivePath:
    """Vertices of a path as they are, repeated ones included.

    Attributes:
        poses: (N, 3) x, y [m], unwrapped heading [rad] in world; N >= 2.
        along: (N,) arc length of each vertex [m].
    """

    poses: np.ndarray
    along: np.ndarray

    @property
    def length(self) -> float:
        """Arc length of the last vertex [m]."""
        return float(self.along[-1])

    @cached_property
    def line(self) -> shapely.LineString:
        """The path without headings."""
        return shapely.LineString(self.poses[:, :2])

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return the arc lengths (...) [m] of the points of the path nearest to `points` (..., 2)."""
        return shapely.line_locate_point(self.line, shapely.points(points))

    def interpolate(self, distances: np.ndarray) -> np.ndarray:
        """Return poses (..., 3), heading wrapped, at arc lengths `distances` (...) [m], clipped to the path."""
        at = np.clip(distances, FIRST_DISTANCE, self.length)
        after = np.clip(np.searchsorted(self.along, at), 1, len(self.along) - 1)
        low, high = self.along[after - 1], self.along[after]
        slope = (self.poses[after] - self.poses[after - 1]) / (high - low)[..., None]
        poses = slope * (at - low)[..., None] + self.poses[after - 1]
        poses[..., 2] = np.arctan2(np.sin(poses[..., 2]), np.cos(poses[..., 2]))
        return np.nan_to_num(poses, nan=0.0)

    def corridor(self, start: float, end: float, half_width: float) -> shapely.Polygon:
        """Return the strip of `half_width` [m] around the vertices between two arc lengths, with square ends."""
        inside = (self.along >= start) & (self.along <= end)
        part = (
            shapely.LineString(self.poses[inside, :2])
            if inside.sum() > 1
            else substring(self.line, start, end)
        )
        return part.buffer(half_width, quad_segs=QUADRANT_SEGMENTS, cap_style="square")


def drive_path(line: np.ndarray, offset: float = 0.0) -> DrivePath:
    """Return the path along `line` (N, 3), every vertex moved `offset` [m] to the left of its heading."""
    across = line[:, 2] + 0.5 * np.pi
    xy = line[:, :2] + offset * np.stack([np.cos(across), np.sin(across)], axis=1)
    return DrivePath(np.column_stack([xy, np.unwrap(line[:, 2])]), polyline.arc_length(xy))
