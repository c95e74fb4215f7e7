"""Oriented boxes in the plane: corners, containment and overlap.

A box is a centre pose (x, y, yaw) with a length along and a width across its heading [m].
"""

from __future__ import annotations

import numpy as np

from simengine.geometry.se2 import points_to_parent


def corners(pose: np.ndarray, length: np.ndarray | float, width: np.ndarray | float) -> np.ndarray:
    """Return box corners (..., 4, 2) in the order front-left, rear-left, rear-right, front-right.

    Args:
        pose: centre poses (..., 3).
        length: lengths (...) [m].
        width: widths (...) [m].
    """
    pose = np.asarray(pose, dtype=np.float64)
    half_l = 0.5 * np.broadcast_to(np.asarray(length, dtype=np.float64), pose.shape[:-1])
    half_w = 0.5 * np.broadcast_to(np.asarray(width, dtype=np.float64), pose.shape[:-1])
    local = np.stack(
        [
            np.stack([half_l, half_w], axis=-1),
            np.stack([-half_l, half_w], axis=-1),
            np.stack([-half_l, -half_w], axis=-1),
            np.stack([half_l, -half_w], axis=-1),
        ],
        axis=-2,
    )
    return points_to_parent(pose, local)


def overlap(corners_a: np.ndarray, corners_b: np.ndarray) -> np.ndarray:
    """Return whether boxes (..., 4, 2) and (..., 4, 2) intersect; touching counts (...,).

    Separating-axis test over the two edge directions of each box.
    """
    a, b = np.asarray(corners_a, dtype=np.float64), np.asarray(corners_b, dtype=np.float64)
    hit = np.ones(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), dtype=bool)
    for box in (a, b):
        for i, j in ((0, 1), (1, 2)):
            axis = box[..., i, :] - box[..., j, :]
            proj_a = np.einsum("...kd,...d->...k", a, axis)
            proj_b = np.einsum("...kd,...d->...k", b, axis)
            hit &= (proj_a.max(-1) >= proj_b.min(-1)) & (proj_b.max(-1) >= proj_a.min(-1))
    return hit
