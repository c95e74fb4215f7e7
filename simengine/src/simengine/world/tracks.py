"""Paths to drive along and tracks of everyone whose way is fixed beforehand."""

from __future__ import annotations

import numpy as np

from simengine.agents.paths import Path, make_path
from simengine.geometry import polyline
from simengine.world.clock import DT, NUM_FRAMES

TIMES = np.arange(NUM_FRAMES) * DT


def path_along(line: np.ndarray, limit: np.ndarray | float) -> Path:
    """Return a path along `line` (N, 2) with speed limits (N,) or (), extended straight beyond its end."""
    step = np.concatenate([[True], np.hypot(*np.diff(line, axis=0).T) > 0.05])
    line, limit = line[step], np.broadcast_to(limit, step.shape)[step]
    end = polyline.sample(line, polyline.arc_length(line)[-1] + np.array([20.0, 60.0, 120.0]))[:, :2]
    line = np.concatenate([line, end])
    limit = np.concatenate([limit, np.full(3, limit[-1])])
    yaw = np.unwrap(polyline.headings(line))
    yaw[1:] = 0.5 * (yaw[1:] + yaw[:-1])
    return make_path(np.column_stack([line, yaw]), limit)


def polyline_pose(path: Path, s: float) -> np.ndarray:
    """Return the pose (3,) at arc length `s` [m] of a path."""
    k = min(max(int(s / path.step), 0), len(path.poses) - 2)
    f = s / path.step - k
    return path.poses[k] + f * (path.poses[k + 1] - path.poses[k])


def script(path: Path, start: float, speeds: np.ndarray) -> np.ndarray:
    """Return the track (T, 3) along `path` from arc length `start` [m] with the speeds (T,) [m/s]."""
    s = start + np.concatenate([[0.0], np.cumsum(0.5 * (speeds[1:] + speeds[:-1]) * DT)])
    return np.stack([polyline_pose(path, float(value)) for value in s])


def stand(pose: np.ndarray) -> np.ndarray:
    """Return the track (T, 3) of something that stays at `pose` (3,)."""
    return np.tile(np.asarray(pose, dtype=np.float64), (NUM_FRAMES, 1))


def walk(points: np.ndarray, speed: float, depart: float = 0.0) -> np.ndarray:
    """Return the track (T, 3) of someone who waits at the first of `points` (N, 2), then walks along them.

    The walk starts at `depart` [s] (before frame 0 if negative) and ends at the last point.
    """
    points = np.asarray(points, dtype=np.float64)
    total = polyline.arc_length(points)[-1]
    s = np.clip(speed * (TIMES - depart), 0.0, total)
    s = _smooth(s)
    return polyline.sample(points, np.minimum(s, total - 1e-6))


def _smooth(s: np.ndarray, window: int = 5) -> np.ndarray:
    """Round off jumps of speed without changing where the track starts or ends."""
    padded = np.concatenate([np.full(window // 2, s[0]), s, np.full(window // 2, s[-1])])
    # A moving track must not appear to accelerate at its ends.
    padded[: window // 2] -= (s[1] - s[0]) * np.arange(window // 2, 0, -1)
    padded[-(window // 2) :] += (s[-1] - s[-2]) * np.arange(1, window // 2 + 1)
    return np.convolve(padded, np.full(window, 1.0 / window), mode="valid")


def changing_speeds(speed: float, begin: float, change: float, to: float) -> np.ndarray:
    """Return speeds (T,) [m/s] that go from `speed` to `to` at a rate `change` > 0 [m/s^2] from `begin` [s] on."""
    moved = change * np.maximum(TIMES - begin, 0.0)
    return np.maximum(speed - moved, to) if to < speed else np.minimum(speed + moved, to)


def beside_line(line: np.ndarray, s: np.ndarray, offset: np.ndarray) -> Path:
    """Return the path at lateral offsets (N,) [m], left positive, from the points at arc lengths `s` (N,) of `line`."""
    base = polyline.sample(line, s)
    xy = base[:, :2] + offset[:, None] * np.column_stack([-np.sin(base[:, 2]), np.cos(base[:, 2])])
    return make_path(np.column_stack([xy, polyline.headings(xy)]), 30.0)


def smooth_step(u: np.ndarray) -> np.ndarray:
    """Return values that go from 0 to 1 with `u` (...) and are level at both ends."""
    u = np.clip(u, 0.0, 1.0)
    return 3 * u**2 - 2 * u**3
