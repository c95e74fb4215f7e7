"""Paths that vehicles follow: their logged track, continued along the lanes of the map.

A `Path` is a row of poses at equal arc-length steps with a speed limit at each; a `PathSet` packs many
paths into flat arrays that compiled code can walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from simengine.agents.lanes import ForkRule, LaneGraph
from simengine.agents.path_shape import goes_far, moves_on, shape, track_speed
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

SPACING = 0.5
LATERAL_ACCELERATION = 2.0
APPROACH_DECELERATION = 1.5
MIN_SPEED_LIMIT = 2.0
KNOT_STEP = 0.5
MOVING_DISTANCE = 2.0
EXTENSION_TIME = 20.0
UNKNOWN_SPEED_LIMIT = 3.0


@dataclass(frozen=True)
class Path:
    """Poses at equal steps along a path.

    Attributes:
        poses: (N, 3) x, y [m], yaw [rad] (unwrapped) in world; N >= 2.
        limit: (N,) speed to drive at most [m/s].
        step: arc length between poses [m].
        log: (K, 2) arc length [m] and time [s] at which its driver was there in the log; None without a log.
    """

    poses: np.ndarray
    limit: np.ndarray
    step: float
    log: np.ndarray | None = None

    @property
    def length(self) -> float:
        """Arc length [m]."""
        return (len(self.poses) - 1) * self.step


@dataclass(frozen=True)
class PathSet:
    """Many paths in flat arrays.

    Attributes:
        points: (P, 6) x, y, unwrapped yaw, speed limit, cosine and sine of yaw of all poses, path after path.
        start: (A,) first row of each path.
        count: (A,) rows of each path.
        step: (A,) spacing of each path [m].
    """

    points: np.ndarray
    start: np.ndarray
    count: np.ndarray
    step: np.ndarray

    @classmethod
    def pack(cls, paths: Sequence[Path]) -> PathSet:
        """Return the flat form of `paths`, in order."""
        count = np.array([len(path.poses) for path in paths], np.int64)
        step = np.array([path.step for path in paths], np.float64)
        if not len(paths):
            return cls(np.zeros((0, 6)), count, count, step)
        poses, limit = (
            np.concatenate([getattr(path, name) for path in paths]) for name in ("poses", "limit")
        )
        return cls(table(poses, limit), np.cumsum(count) - count, count, step)

    def every(self, stride: int) -> PathSet:
        """Return the paths with only every `stride`-th pose, the first always among them."""
        count = (self.count + stride - 1) // stride
        start = np.cumsum(count) - count
        rows = np.concatenate(
            [np.arange(0, n, stride) + first for first, n in zip(self.start, self.count, strict=True)]
            or [np.zeros(0, np.int64)]
        )
        return PathSet(self.points[rows], start, count, self.step * stride)

    @property
    def flat(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The arrays as compiled code takes them."""
        return self.points, self.start, self.count, self.step

    def _segment(self, rows: np.ndarray, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        u = np.asarray(s, np.float64) / self.step[rows]
        k = np.clip(np.floor(u).astype(np.int64), 0, self.count[rows] - 2)
        return self.start[rows] + k, u - k

    def pose(self, rows: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Return poses (M, 3) at arc lengths `s` (M,) [m] of paths `rows` (M,); straight beyond the ends."""
        at, f = self._segment(rows, s)
        xy = self.points[at, :2] + f[:, None] * (self.points[at + 1, :2] - self.points[at, :2])
        turn = np.clip(f, 0.0, 1.0) * (self.points[at + 1, 2] - self.points[at, 2])
        return np.column_stack([xy, wrap(self.points[at, 2] + turn)])

    def limit(self, rows: np.ndarray, s: np.ndarray) -> np.ndarray:
        """Return speed limits (M,) [m/s] at arc lengths `s` (M,) of paths `rows` (M,)."""
        at, f = self._segment(rows, s)
        return self.points[at, 3] + np.clip(f, 0.0, 1.0) * (self.points[at + 1, 3] - self.points[at, 3])


def table(poses: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Return rows (N, 6) of `PathSet.points` for poses (N, 3) and speed limits (N,)."""
    return np.column_stack([poses, limit, np.cos(poses[:, 2]), np.sin(poses[:, 2])])


def make_path(poses: np.ndarray, desired_speed: np.ndarray | float, floor: np.ndarray | float = 0.0) -> Path:
    """Return `poses` (K, 3) resampled to equal steps with a speed limit that slows for curves in time.

    Args:
        poses: knots in world; consecutive positions differ.
        desired_speed: () or (K,) speed on a straight [m/s].
        floor: () or (K,) speed that is known to be drivable whatever the curvature [m/s].
    """
    poses = np.ascontiguousarray(poses, np.float64)
    wanted, known = (
        np.ascontiguousarray(np.broadcast_to(value, len(poses)), np.float64)
        for value in (desired_speed, floor)
    )
    return Path(
        *shape(poses, wanted, known, SPACING, MIN_SPEED_LIMIT, LATERAL_ACCELERATION, APPROACH_DECELERATION)
    )


def curve_speed(
    yaw: np.ndarray, step: float, lateral_acceleration: float = LATERAL_ACCELERATION
) -> np.ndarray:
    """Return the speed (N,) that keeps `lateral_acceleration` [m/s^2] along unwrapped `yaw` (N,)."""
    half = max(round(2.0 / step), 1)
    index = np.arange(len(yaw))
    after, before = np.minimum(index + half, len(yaw) - 1), np.maximum(index - half, 0)
    curvature = np.abs(yaw[after] - yaw[before]) / np.maximum((after - before) * step, 1e-6)
    return np.sqrt(lateral_acceleration / np.maximum(curvature, 1e-4))


def approach_limit(limit: np.ndarray, step: float, deceleration: float = APPROACH_DECELERATION) -> np.ndarray:
    """Return speed limits (N,) lowered so that each next one is reached with `deceleration` [m/s^2]."""
    # v_k^2 <= v_m^2 + 2 b (s_m - s_k) for all m >= k, so a running minimum from the end suffices.
    position = 2.0 * deceleration * step * np.arange(len(limit))
    squared = np.minimum.accumulate((limit**2 + position)[::-1])[::-1] - position
    return np.sqrt(squared)


def logged_speed(path: Path, s: np.ndarray) -> np.ndarray:
    """Return the speed (N,) [m/s] at which the log of a path passed arc lengths `s` (N,), 0 where it did not."""
    log = path.log
    if log is None or len(log) < 2 or not len(s):
        return np.zeros(len(s))
    after = np.clip(np.searchsorted(log[:, 0], s), 1, len(log) - 1)
    speed = (log[after, 0] - log[after - 1, 0]) / (log[after, 1] - log[after - 1, 1])
    return np.where((s >= log[0, 0]) & (s <= log[-1, 0]), speed, 0.0)


def logged_path(
    pose: np.ndarray, valid: np.ndarray, dt: float, graph: LaneGraph, choose: ForkRule | None = None
) -> Path | None:
    """Return the path of a track (T, 3), extended along the lanes; None if the track never moves.

    Speed limits are those of the lanes; where the log is faster, the log's speed; where no lane is known, the
    highest speed of the log.

    Args:
        pose: box centres in world.
        valid: (T,) bool.
        dt: time between frames [s].
        graph: the lanes.
        choose: which way to go at forks beyond the log.
    """
    if not goes_far(np.ascontiguousarray(pose[valid], np.float64), MOVING_DISTANCE):
        return None
    frames, speed = logged_knots(pose, valid, dt)
    knots = pose[frames]
    under = graph.under(knots)
    limits = graph.speed_limits(under)
    usual = float(np.fmax(np.fmax(limits[0], UNKNOWN_SPEED_LIMIT), speed.max()))
    beyond, ahead = graph.extend(knots[-1], usual * EXTENSION_TIME, choose, int(under[-1]))
    wanted = np.concatenate([limits, ahead])
    floor = np.concatenate([speed, np.zeros(len(beyond))])
    path = make_path(np.concatenate([knots, beyond]), np.where(np.isfinite(wanted), wanted, usual), floor)
    return replace(path, log=np.column_stack([polyline.arc_length(knots), frames * dt]))


def logged_knots(pose: np.ndarray, valid: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames (K,) at which a track has moved forward, and its speed (K,) at each.

    Poses (T, 3) that jitter, stand or go backwards are dropped; the first valid pose always stays.
    """
    frames = np.flatnonzero(valid)
    seen = np.ascontiguousarray(pose[frames], np.float64)
    ahead = moves_on(seen, KNOT_STEP)
    return frames[ahead], track_speed(seen, frames, dt)[ahead]
