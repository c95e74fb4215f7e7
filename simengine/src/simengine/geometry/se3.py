"""Rigid transforms in space: 4x4 matrices `dst_from_src` and unit quaternions in wxyz order."""

from __future__ import annotations

import numpy as np


def rotation_from_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Return rotation matrices (..., 3, 3) of wxyz quaternions (..., 4); they need not be unit."""
    q = np.asarray(quaternion, dtype=np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quaternion_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Return the wxyz quaternion (4,) with w >= 0 of one rotation matrix (3, 3)."""
    m = np.asarray(rotation, dtype=np.float64)
    # The eigenvector form is accurate for every rotation, also near half turns.
    k = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [m[0, 2] - m[2, 0], m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    quaternion = np.linalg.eigh(k)[1][:, -1]
    return quaternion if quaternion[0] >= 0 else -quaternion


def quaternion_multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the wxyz product (..., 4): first rotate by `right`, then by `left`."""
    lw, lx, ly, lz = np.moveaxis(np.asarray(left, dtype=np.float64), -1, 0)
    rw, rx, ry, rz = np.moveaxis(np.asarray(right, dtype=np.float64), -1, 0)
    return np.stack(
        [
            lw * rw - lx * rx - ly * ry - lz * rz,
            lw * rx + lx * rw + ly * rz - lz * ry,
            lw * ry - lx * rz + ly * rw + lz * rx,
            lw * rz + lx * ry - ly * rx + lz * rw,
        ],
        axis=-1,
    )


def quaternion_from_yaw(yaw: np.ndarray | float) -> np.ndarray:
    """Return wxyz quaternions (..., 4) of rotations by `yaw` (...) [rad] about z."""
    half = 0.5 * np.asarray(yaw, dtype=np.float64)
    zero = np.zeros_like(half)
    return np.stack([np.cos(half), zero, zero, np.sin(half)], axis=-1)


def make_transform(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Return the transform (4, 4) with `rotation` (3, 3) and `translation` (3,) [m]."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation
    return transform


def transform_from_pose(pose: np.ndarray, z: float = 0.0) -> np.ndarray:
    """Return `parent_from_body` (4, 4) of a planar pose (3,) at height `z` [m]."""
    return make_transform(
        rotation_from_quaternion(quaternion_from_yaw(pose[2])), np.array([pose[0], pose[1], z])
    )


def invert(transform: np.ndarray) -> np.ndarray:
    """Return the inverse of rigid transforms (..., 4, 4)."""
    transform = np.asarray(transform, dtype=np.float64)
    inverse = np.zeros_like(transform)
    rotation_t = np.swapaxes(transform[..., :3, :3], -1, -2)
    inverse[..., :3, :3] = rotation_t
    inverse[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation_t, transform[..., :3, 3])
    inverse[..., 3, 3] = 1.0
    return inverse


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (N, 3), given in src, in dst of `transform` (4, 4) `dst_from_src`."""
    return np.asarray(points, dtype=np.float64) @ transform[:3, :3].T + transform[:3, 3]
