"""Roads with parallel lanes, and the curves that join them.

Traffic keeps right. A road runs along a reference line; its `f` lanes follow the line on its right side, its
`b` lanes run against it on its left. Lane 0 is next to the reference line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry import polyline
from simengine.geometry.angles import wrap

LANE_WIDTH = 3.6
SHOULDER = 2.4
WALKWAY = 2.6


@dataclass(frozen=True)
class Road:
    """A straight or bent piece of road.

    Attributes:
        name: prefix of all its ids.
        line: (N, 2) reference line in world [m], about a metre between points.
        forward: number of lanes along the line.
        backward: number of lanes against it.
        speed_limit: [m/s].
        ends: (2,) yaw of the road at both ends, so that roads in a row join without a gap; by default that
            of the line's first and last segment.
        lane_width: of every lane [m].
        shoulder: width of the parking strip between lanes and kerb [m].
        walkways: sides with a walkway.
        parked: share of the parking places taken when it is busy; 0 where nobody parks.
    """

    name: str
    line: np.ndarray
    forward: int
    backward: int
    speed_limit: float
    ends: tuple[float, float] | None = None
    lane_width: float = LANE_WIDTH
    shoulder: float = SHOULDER
    walkways: tuple[str, ...] = ("left", "right")
    parked: float = 0.6

    @property
    def length(self) -> float:
        """Length of the reference line [m]."""
        return float(polyline.arc_length(self.line)[-1])

    def offset(self, offset: float) -> np.ndarray:
        """Return the line (N, 2) at `offset` metres to the left of the reference line."""
        moved = offset_line(self.line, offset)
        if self.ends is not None:
            for k, yaw in zip((0, -1), self.ends, strict=True):
                moved[k] = self.line[k] + offset * np.array([-np.sin(yaw), np.cos(yaw)])
        return moved

    def strip(self, low: float, high: float, extend: float = 0.0) -> np.ndarray:
        """Return the ring (M, 2) between two offsets, longer by `extend` [m] at both ends."""
        sides = [_lengthened(self.offset(value), extend) for value in (low, high)]
        return np.concatenate([sides[0], sides[1][::-1]])

    def lane_ids(self, direction: str) -> tuple[str, ...]:
        """Return lane ids of direction `f` or `b`, from the reference line outwards."""
        count = self.forward if direction == "f" else self.backward
        return tuple(f"{self.name}_{direction}{k}" for k in range(count))

    def edge(self, side: str) -> float:
        """Return the signed offset of the outer lane edge on side `right` or `left` [m]."""
        return -self.forward * self.lane_width if side == "right" else self.backward * self.lane_width

    def kerb(self, side: str, beyond: float = 0.0) -> float:
        """Return the signed offset of a place `beyond` [m] the parking strip on a side."""
        sign = 1.0 if side == "left" else -1.0
        return self.edge(side) + sign * (self.shoulder + beyond)


def offset_line(line: np.ndarray, offset: float | np.ndarray) -> np.ndarray:
    """Return `line` (N, 2) moved to the left by `offset` () or (N,) [m], vertex by vertex."""
    segment = polyline.headings(line)
    before = np.concatenate([segment[:1], segment[:-1]])
    turn = wrap(segment - before)
    yaw = before + 0.5 * turn
    scale = offset / np.cos(0.5 * turn)
    return line + scale[:, None] * np.column_stack([-np.sin(yaw), np.cos(yaw)])


def strip(line: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """Return the ring (M, 2) between offsets `low` < `high` of `line` (N, 2)."""
    return np.concatenate([offset_line(line, low), offset_line(line, high)[::-1]])


def _lengthened(line: np.ndarray, extend: float) -> np.ndarray:
    if extend <= 0.0:
        return line
    ends = polyline.sample(line, np.array([-extend, polyline.arc_length(line)[-1] + extend]))[:, :2]
    return np.concatenate([ends[:1], line, ends[1:]])


def turn_curve(start: np.ndarray, end: np.ndarray, spacing: float = 0.5) -> np.ndarray:
    """Return a smooth line (N, 2) from pose `start` (3,) to pose `end` (3,): a cubic close to an arc."""
    turn = abs(float(wrap(end[2] - start[2])))
    chord = float(np.hypot(*(end[:2] - start[:2])))
    radius = chord / (2.0 * np.sin(0.5 * turn)) if turn > 0.1 else None
    handle = chord / 3.0 if radius is None else 4.0 / 3.0 * np.tan(0.25 * turn) * radius
    a, d = start[:2], end[:2]
    b = a + handle * np.array([np.cos(start[2]), np.sin(start[2])])
    c = d - handle * np.array([np.cos(end[2]), np.sin(end[2])])
    t = np.linspace(0.0, 1.0, 60)[:, None]
    curve = (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d
    return polyline.resample(curve, spacing)
