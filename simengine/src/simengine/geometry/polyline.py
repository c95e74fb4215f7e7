"""Polylines in the plane parametrised by arc length."""

from __future__ import annotations

import numpy as np

from simengine.geometry.angles import wrap


def arc_length(points: np.ndarray) -> np.ndarray:
    """Return the cumulative length (N,) [m] along points (N, 2 or more columns)."""
    steps = np.linalg.norm(np.diff(np.asarray(points, dtype=np.float64)[:, :2], axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def headings(points: np.ndarray) -> np.ndarray:
    """Return the direction (N,) [rad] of each vertex: that of the segment it starts.

    The last vertex repeats the last segment; zero-length segments repeat their predecessor.
    """
    points = np.asarray(points, dtype=np.float64)[:, :2]
    if len(points) < 2:
        return np.zeros(len(points))
    delta = np.diff(points, axis=0)
    moving = np.hypot(delta[:, 0], delta[:, 1]) > 1e-9
    if not moving.any():
        return np.zeros(len(points))
    index = np.maximum.accumulate(np.where(moving, np.arange(len(delta)), -1))
    index[index < 0] = np.argmax(moving)
    direction = np.arctan2(delta[index, 1], delta[index, 0])
    return np.append(direction, direction[-1])


def drop_repeated(points: np.ndarray, minimum_step: float = 1e-6) -> np.ndarray:
    """Return `points` (N, D) without vertices closer than `minimum_step` [m] to their predecessor."""
    points = np.asarray(points, dtype=np.float64)
    if len(points) < 2:
        return points
    steps = np.linalg.norm(np.diff(points[:, :2], axis=0), axis=1)
    return points[np.concatenate([[True], steps > minimum_step])]


def sample(points: np.ndarray, distances: np.ndarray | float) -> np.ndarray:
    """Return poses (..., 3) at arc lengths `distances` (...) [m] along points (N, 2).

    Distances before the start or after the end continue straight along the end segments, so that a
    follower never runs out of path.
    """
    points = np.asarray(points, dtype=np.float64)[:, :2]
    s = arc_length(points)
    distances = np.asarray(distances, dtype=np.float64)
    direction = headings(points)
    index = np.clip(np.searchsorted(s, distances, side="right") - 1, 0, max(len(points) - 2, 0))
    yaw = direction[index]
    offset = distances - s[index]
    return np.stack(
        [
            points[index, 0] + offset * np.cos(yaw),
            points[index, 1] + offset * np.sin(yaw),
            wrap(yaw),
        ],
        axis=-1,
    )


def resample(points: np.ndarray, spacing: float) -> np.ndarray:
    """Return points (M, 2) about `spacing` [m] apart with both ends of `points` (N, 2) kept."""
    points = drop_repeated(np.asarray(points, dtype=np.float64)[:, :2])
    s = arc_length(points)
    count = max(int(np.ceil(s[-1] / spacing)), 1) + 1
    at = np.linspace(0.0, s[-1], count)
    return np.stack([np.interp(at, s, points[:, 0]), np.interp(at, s, points[:, 1])], axis=-1)


def project(points: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return arc length and signed lateral offset of the nearest point on a polyline.

    Args:
        points: polyline (N, 2), N >= 2.
        queries: points (..., 2).

    Returns:
        Arc length (...) [m], saturating at both ends, and offset (...) [m], left positive.
    """
    points = np.asarray(points, dtype=np.float64)[:, :2]
    queries = np.asarray(queries, dtype=np.float64)
    start, delta = points[:-1], np.diff(points, axis=0)
    squared = np.maximum((delta**2).sum(-1), 1e-18)
    rel = queries[..., None, :] - start
    t = np.clip((rel * delta).sum(-1) / squared, 0.0, 1.0)
    gap = rel - t[..., None] * delta
    distance = np.hypot(gap[..., 0], gap[..., 1])
    best = np.argmin(distance, axis=-1)
    take = lambda array: np.take_along_axis(array, best[..., None], axis=-1)[..., 0]  # noqa: E731
    cross = delta[..., 0] * rel[..., 1] - delta[..., 1] * rel[..., 0]
    s = arc_length(points)
    along = s[best] + take(t) * np.sqrt(squared)[best]
    return along, np.where(take(cross) >= 0, 1.0, -1.0) * take(distance)
