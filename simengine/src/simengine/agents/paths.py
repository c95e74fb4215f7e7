"""Paths that vehicles follow: their logged track, continued along the lanes of the map.

A `Path` is a row of poses at equal arc-length steps with a speed limit at each; a `PathSet` packs many
paths into flat arrays that compiled code can walk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.map import VectorMap
from simengine.geometry import polyline
from simengine.geometry.angles import wrap

SPACING = 0.5
LATERAL_ACCELERATION = 2.0
APPROACH_DECELERATION = 1.5
MIN_SPEED_LIMIT = 2.0
KNOT_STEP = 0.5


@dataclass(frozen=True)
class Path:
    """Poses at equal steps along a path.

    Attributes:
        poses: (N, 3) x, y [m], yaw [rad] (unwrapped) in world; N >= 2.
        limit: (N,) speed to drive at most [m/s].
        step: arc length between poses [m].
    """

    poses: np.ndarray
    limit: np.ndarray
    step: float

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
        start = np.concatenate([[0], np.cumsum(count)[:-1]]).astype(np.int64) if len(paths) else count
        rows = [table(path.poses, path.limit) for path in paths]
        points = np.concatenate(rows) if rows else np.zeros((0, 6))
        return cls(points, start, count, np.array([path.step for path in paths], np.float64))

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
    poses = np.asarray(poses, np.float64)
    s = polyline.arc_length(poses)
    count = max(int(np.ceil(s[-1] / SPACING)), 1) + 1
    at = np.linspace(0.0, s[-1], count)
    yaw = np.interp(at, s, np.unwrap(poses[:, 2]))
    even = np.column_stack([np.interp(at, s, poses[:, 0]), np.interp(at, s, poses[:, 1]), yaw])
    step = float(at[1])
    wanted, known = (np.interp(at, s, np.broadcast_to(value, s.shape)) for value in (desired_speed, floor))
    limit = np.maximum(np.minimum(wanted, curve_speed(yaw, step)), np.maximum(known, MIN_SPEED_LIMIT))
    return Path(even, approach_limit(limit, step), step)


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


def logged_knots(pose: np.ndarray, valid: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the knots (K, 3) of a track that moves forward, and its speed (K,) at each.

    Poses (T, 3) that jitter, stand or go backwards are dropped; the first valid pose always stays.
    """
    frames = np.flatnonzero(valid)
    kept = [frames[0]]
    for frame in frames[1:]:
        last = pose[kept[-1]]
        move = pose[frame, :2] - last[:2]
        forward = move @ [np.cos(last[2]), np.sin(last[2])]
        if forward > KNOT_STEP and forward > 0.5 * np.hypot(*move):
            kept.append(frame)
    index = np.array(kept)
    speed = _track_speed(pose, frames, dt)
    return pose[index], np.interp(index, frames, speed)


def _track_speed(pose: np.ndarray, frames: np.ndarray, dt: float) -> np.ndarray:
    if len(frames) < 2:
        return np.zeros(len(frames))
    window = min(5, len(frames) - 1)
    ends = np.arange(window, len(frames))
    moved = np.linalg.norm(pose[frames[ends], :2] - pose[frames[ends - window], :2], axis=1)
    mean = moved / ((frames[ends] - frames[ends - window]) * dt)
    return np.interp(np.arange(len(frames)), ends - 0.5 * window, mean)


class LaneGraph:
    """Nearest-lane lookup and forward continuation on a vector map."""

    def __init__(self, vector_map: VectorMap) -> None:
        self._lanes = {k: lane for k, lane in vector_map.lanes.items() if len(lane.centerline) >= 2}
        self._ids = sorted(self._lanes)
        lines = [polyline.resample(self._lanes[k].centerline, 2.0) for k in self._ids]
        self._vertex = np.concatenate(lines) if lines else np.zeros((0, 2))
        self._heading = np.concatenate([polyline.headings(p) for p in lines]) if lines else np.zeros(0)
        self._owner = np.repeat(np.arange(len(lines)), [len(p) for p in lines])

    def nearest(self, pose: np.ndarray, max_distance: float = 3.0) -> str | None:
        """Return the lane whose direction and place fit `pose` (3,) best, or None."""
        if not len(self._vertex):
            return None
        distance = np.linalg.norm(self._vertex - pose[:2], axis=1)
        turn = np.abs(wrap(self._heading - pose[2]))
        cost = np.where((distance < max_distance) & (turn < np.pi / 4), distance + 2.0 * turn, np.inf)
        best = int(np.argmin(cost))
        return self._ids[self._owner[best]] if np.isfinite(cost[best]) else None

    def speed_limit(self, lane_id: str | None) -> float:
        """Return the speed limit of a lane [m/s], NaN if it or the lane is unknown."""
        return self._lanes[lane_id].speed_limit if lane_id in self._lanes else float("nan")

    def chain(self, lane_id: str, distance: float) -> np.ndarray:
        """Return the centreline (N, 2) from the start of `lane_id` over its straightest successors."""
        lane = self._lanes[lane_id]
        points, remaining, seen = [lane.centerline[:, :2]], distance, {lane_id}
        remaining -= polyline.arc_length(lane.centerline)[-1]
        while remaining > 0.0:
            following = [k for k in lane.successors if k in self._lanes and k not in seen]
            if not following:
                break
            lane = self._lanes[min(following, key=lambda k, now=lane: (_bend(now, self._lanes[k]), k))]
            seen.add(lane.id)
            points.append(lane.centerline[:, :2])
            remaining -= polyline.arc_length(lane.centerline)[-1]
        return polyline.drop_repeated(np.concatenate(points), 0.05)

    def extend(self, pose: np.ndarray, distance: float, settle: float = 15.0) -> np.ndarray:
        """Return poses (N, 3) that continue `pose` (3,) along the lanes for `distance` [m].

        The lateral offset to the lane fades over `settle` metres. Straight ahead where no lane fits.
        """
        ahead = np.arange(1.0, max(distance, 2.0), 1.0)
        lane_id = self.nearest(pose)
        if lane_id is None:
            straight = pose[:2] + ahead[:, None] * [np.cos(pose[2]), np.sin(pose[2])]
            return np.column_stack([straight, np.full(len(ahead), pose[2])])
        line = self.chain(lane_id, distance + 200.0)
        s0, offset = polyline.project(line, pose[:2])
        on_lane = polyline.sample(line, s0 + np.concatenate([[0.0], ahead]))
        fade = offset * np.clip(1.0 - np.concatenate([[0.0], ahead]) / settle, 0.0, 1.0) ** 2
        left = np.column_stack([-np.sin(on_lane[:, 2]), np.cos(on_lane[:, 2])])
        xy = on_lane[:, :2] + fade[:, None] * left
        return np.column_stack([xy[1:], polyline.headings(xy)[1:]])


def _bend(lane, successor) -> float:  # type: ignore[no-untyped-def]
    def turn(points: np.ndarray) -> float:
        heading = polyline.headings(points)
        return float(wrap(heading[-1] - heading[0]))

    return round(abs(turn(successor.centerline)), 6)
