"""Poses in the plane: arrays (..., 3) of x, y [m] and yaw [rad].

A pose is both a place and the transform `parent_from_body`. The verbs are closed: `to_parent` and
`to_local` move poses between a frame and its parent, `points_*` do the same for points.
"""

from __future__ import annotations

import numpy as np

from simengine.geometry.angles import wrap


def points_to_parent(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return `points` (..., N, 2), given in `frame` (..., 3), in the parent frame of `frame`."""
    frame = np.asarray(frame, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    cos, sin = np.cos(frame[..., 2])[..., None], np.sin(frame[..., 2])[..., None]
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        [cos * x - sin * y + frame[..., 0, None], sin * x + cos * y + frame[..., 1, None]], axis=-1
    )


def points_to_local(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return `points` (..., N, 2), given in the parent of `frame` (..., 3), in `frame` itself."""
    frame = np.asarray(frame, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    cos, sin = np.cos(frame[..., 2])[..., None], np.sin(frame[..., 2])[..., None]
    x, y = points[..., 0] - frame[..., 0, None], points[..., 1] - frame[..., 1, None]
    return np.stack([cos * x + sin * y, -sin * x + cos * y], axis=-1)


def to_parent(frame: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return `poses` (..., N, 3), given in `frame` (..., 3), in the parent frame of `frame`."""
    poses = np.asarray(poses, dtype=np.float64)
    xy = points_to_parent(frame, poses[..., :2])
    yaw = wrap(poses[..., 2] + np.asarray(frame, dtype=np.float64)[..., 2, None])
    return np.concatenate([xy, yaw[..., None]], axis=-1)


def to_local(frame: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return `poses` (..., N, 3), given in the parent of `frame` (..., 3), in `frame` itself."""
    poses = np.asarray(poses, dtype=np.float64)
    xy = points_to_local(frame, poses[..., :2])
    yaw = wrap(poses[..., 2] - np.asarray(frame, dtype=np.float64)[..., 2, None])
    return np.concatenate([xy, yaw[..., None]], axis=-1)


def shift_forward(poses: np.ndarray, distance: np.ndarray | float) -> np.ndarray:
    """Return `poses` (..., 3) moved by `distance` [m] along their own heading.

    The rear axle and the box centre of a vehicle differ by such a shift.
    """
    poses = np.array(poses, dtype=np.float64)
    poses[..., 0] += distance * np.cos(poses[..., 2])
    poses[..., 1] += distance * np.sin(poses[..., 2])
    return poses


def rotate(vectors: np.ndarray, yaw: np.ndarray | float) -> np.ndarray:
    """Return `vectors` (..., 2) rotated by `yaw` (...) [rad] counter-clockwise."""
    vectors = np.asarray(vectors, dtype=np.float64)
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.stack(
        [cos * vectors[..., 0] - sin * vectors[..., 1], sin * vectors[..., 0] + cos * vectors[..., 1]],
        axis=-1,
    )
