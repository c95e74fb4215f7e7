"""A lane of straight pieces with coordinates along and across it, as the published simulator has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHORTEST_PIECE = 1.0
EQUALLY_NEAR = 1e-9


@dataclass(frozen=True)
class PointLane:
    """S straight pieces, each at least a metre long.

    Attributes:
        start: (S, 2) where each begins [m].
        way: (S, 2) its direction, a unit vector.
        along: (S,) arc length of its start [m].
        length: of all pieces [m].
    """

    start: np.ndarray
    way: np.ndarray
    along: np.ndarray
    length: float

    @classmethod
    def from_points(cls, points: np.ndarray) -> PointLane | None:
        """Return the lane along `points` (N, 2); None if they are nowhere a metre apart.

        Points closer than a metre to the one before are left out, so up to a metre may be missing at the end.
        """
        kept = [points[0, :2]] if len(points) else []
        for point in points[1:, :2]:
            if np.hypot(*(point - kept[-1])) >= SHORTEST_PIECE:
                kept.append(point)
        if len(kept) < 2:
            return None
        corners = np.array(kept, np.float64)
        piece = np.diff(corners, axis=0)
        size = np.hypot(piece[:, 0], piece[:, 1])
        along = np.concatenate([[0.0], np.cumsum(size)])
        return cls(corners[:-1], piece / size[:, None], along[:-1], float(along[-1]))

    def coordinates(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return arc length and offset to the right, each (N,) [m], of `points` (N, 2).

        They are those of the nearest piece, taken as a straight line without ends: before the lane the arc length is
        negative, behind it it is larger than the length.
        """
        x, y = points[:, None, 0] - self.start[:, 0], points[:, None, 1] - self.start[:, 1]
        forward = x * self.way[:, 0] + y * self.way[:, 1]
        right = x * self.way[:, 1] - y * self.way[:, 0]
        size = np.diff(np.append(self.along, self.length))
        beyond = forward - np.clip(forward, 0.0, size)
        away = np.hypot(beyond, right)
        # Outside a corner both pieces are equally near; rounding must not choose between them.
        piece = np.argmax(away <= away.min(axis=1, keepdims=True) + EQUALLY_NEAR, axis=1)
        row = np.arange(len(points))
        return self.along[piece] + forward[row, piece], right[row, piece]

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return how far (N,) `points` (N, 2) are: the offset plus what they lie before or behind the lane [m]."""
        along, right = self.coordinates(points)
        return np.abs(right) + np.maximum(-along, 0.0) + np.maximum(along - self.length, 0.0)

    def poses(self, along: np.ndarray, right: float) -> np.ndarray:
        """Return poses (N, 3) at arc lengths (N,) and one offset to the right [m]; straight on beyond the ends."""
        reached = np.searchsorted(self.along, along + EQUALLY_NEAR, side="right") - 1
        piece = np.clip(reached, 0, len(self.along) - 1)
        way = self.way[piece]
        across = right * np.column_stack([way[:, 1], -way[:, 0]])
        xy = self.start[piece] + (along - self.along[piece])[:, None] * way + across
        return np.column_stack([xy, np.arctan2(way[:, 1], way[:, 0])])
