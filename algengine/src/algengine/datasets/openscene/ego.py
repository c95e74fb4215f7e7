"""Ego status and driven future of frames, in the planner's names.

Q frames of a clip, H history steps, T future poses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from algengine.datasets.frames import motion_between
from algengine.datasets.openscene.frame import Frame
from simengine.geometry.se2 import to_local, to_parent

FRAME_DT = 0.5


def status(past: Sequence[Frame], steps: int) -> dict[str, np.ndarray]:
    """Return the ego status at the last of `past`, see `EgoStatusEmbedding.forward`.

    Args:
        past: up to `steps` frames, oldest first; what is missing before them repeats the oldest and is not valid.
        steps: H.

    Returns:
        `history` (H, 3), `velocity` (H, 2), `acceleration` (H, 2), `command` (H,), `history_valid` (H,).
    """
    missing = steps - len(past)
    frames = [past[0]] * missing + list(past)
    poses = np.stack([frame.pose for frame in frames])
    return {
        "history": to_local(poses[-1], poses).astype(np.float32),
        "velocity": np.stack([frame.velocity for frame in frames]).astype(np.float32),
        "acceleration": np.stack([frame.can_bus[7:9] for frame in frames]).astype(np.float32),
        "command": np.array([frame.command for frame in frames], np.int64),
        "history_valid": np.arange(steps) >= missing,
    }


def motions(queue: Sequence[Frame]) -> np.ndarray:
    """Return each frame's ego pose (Q, 3) float32 in the ego frame of the one before, zeros for the first."""
    previous = [queue[0], *queue[:-1]]
    return np.stack([motion_between(a.pose, b.pose) for a, b in zip(previous, queue, strict=True)])


def known_future(frame: Frame, following: Sequence[Frame], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the next poses (steps, 3) every 0.5 s in the ego frame, and which are known (steps,).

    They are those of the following frames; further ones are taken from what the file says about the future, which it
    gives as seen from the lidar.
    """
    poses, valid = np.zeros((steps, 3)), np.zeros(steps, bool)
    count = min(len(following), steps)
    if count:
        poses[:count] = to_local(frame.pose, np.stack([f.pose for f in following[:count]]))
        valid[:count] = True
    if frame.future is not None:
        stored = min(len(frame.future.poses), steps)
        rest = np.arange(count, stored)
        rest = rest[frame.future.valid[rest]]
        poses[rest] = axle_poses(frame.future.poses[rest], frame.lidar2ego)
        valid[rest] = True
    return poses, valid


def axle_poses(lidar_poses: np.ndarray, lidar2ego: np.ndarray) -> np.ndarray:
    """Return poses (T, 3) of the rear axle in its present frame, given those of the lidar in its present frame."""
    mount = np.array([lidar2ego[0, 3], lidar2ego[1, 3], np.arctan2(lidar2ego[1, 0], lidar2ego[0, 0])])
    axle_in_lidar = to_local(mount, np.zeros((1, 3)))[0]
    lidars = to_parent(mount, lidar_poses)
    return np.array([to_parent(pose, axle_in_lidar[None])[0] for pose in lidars]).reshape(-1, 3)


def dense_future(
    poses: np.ndarray, valid: np.ndarray, num_poses: int, pose_dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (num_poses, 3) float32 between poses every 0.5 s, and which are known (num_poses,).

    Linear in position and heading; where both rates have a pose, it is the given one.

    Args:
        poses: (S, 3) in the ego frame, which is also the pose at time 0.
        valid: (S,); what comes after the first gap is not known.
        num_poses: T.
        pose_dt: time between them [s].
    """
    knots = np.concatenate([np.zeros((1, 3)), poses])
    knots[:, 2] = np.unwrap(knots[:, 2])
    reach = FRAME_DT * int(np.cumprod(valid).sum())
    times = pose_dt * np.arange(1, num_poses + 1)
    knot_times = FRAME_DT * np.arange(len(knots))
    dense = np.stack([np.interp(times, knot_times, column) for column in knots.T], axis=-1)
    known = times <= reach + 1e-6
    dense[~known] = 0.0
    dense[:, 2] = np.arctan2(np.sin(dense[:, 2]), np.cos(dense[:, 2]))
    return dense.astype(np.float32), known
