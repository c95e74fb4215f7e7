"""Rolling shutter: the rows of an image are read from top to bottom while the camera moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se3 import (
    quaternion_from_rotation,
    rotation_from_quaternion,
    transform_from_pose,
)


def moved_pose(pose: np.ndarray, velocity: np.ndarray, yaw_rate: float, dt: float) -> np.ndarray:
    """Return the ego pose (3,) a short `dt` [s] away, negative for the past, at constant speed and yaw rate.

    Args:
        pose: (3,) rear axle in the world frame.
        velocity: (2,) in vehicle axes [m/s].
        yaw_rate: [rad/s].
        dt: time to the wanted pose [s].
    """
    turn = yaw_rate * dt
    # The chord of an arc points half the turn ahead and is shorter than the arc by sinc.
    heading, chord = pose[2] + 0.5 * turn, dt * np.sinc(turn / (2.0 * np.pi))
    cos, sin = np.cos(heading), np.sin(heading)
    shift = chord * np.array([cos * velocity[0] - sin * velocity[1], sin * velocity[0] + cos * velocity[1]])
    return np.array([pose[0] + shift[0], pose[1] + shift[1], pose[2] + turn])


def shutter_ends(
    pose: np.ndarray, velocity: np.ndarray, yaw_rate: float, duration: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ego poses (3,) while the first and while the last row is read; arguments as in `shutter_poses`."""
    half = 0.5 * duration
    start, end = (moved_pose(pose, velocity, yaw_rate, dt) for dt in (-half, half))
    return start, end


def shutter_poses(
    cameras: Sequence[CameraCalibration],
    pose: np.ndarray,
    velocity: np.ndarray,
    yaw_rate: float,
    duration: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return `world_from_cam` (C, 4, 4) while the first and while the last row is read.

    The middle of the read-out is the moment of `pose`, so that the calibration fits the middle of the image.

    Args:
        cameras: rig on the ego.
        pose: (3,) rear axle in the world frame at the time of the frame.
        velocity: (2,) in vehicle axes [m/s].
        yaw_rate: [rad/s].
        duration: from the first to the last row [s].
    """
    mounts = np.array([camera.ego_from_cam for camera in cameras]).reshape(-1, 4, 4)
    ends = shutter_ends(np.asarray(pose, np.float64), velocity, yaw_rate, duration)
    start, end = (transform_from_pose(at) @ mounts for at in ends)
    return start, end


def pose_parts(world_from_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the wxyz quaternion (4,) of `cam_from_world` and the centre (3,) in the world of one camera (4, 4)."""
    return quaternion_from_rotation(world_from_cam[:3, :3].T), np.asarray(world_from_cam[:3, 3], np.float64)


def between(
    start: tuple[np.ndarray, np.ndarray], end: tuple[np.ndarray, np.ndarray], share: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (..., 3, 3) of `cam_from_world` and centres (..., 3) at `share` (...) of the read-out.

    Quaternions and centres follow a line, which is exact enough for turns of a few degrees; `share` may leave
    [0, 1].
    """
    share = np.asarray(share, np.float64)[..., None]
    (q0, c0), (q1, c1) = start, end
    q1 = q1 if q0 @ q1 >= 0.0 else -q1
    return rotation_from_quaternion((1.0 - share) * q0 + share * q1), (1.0 - share) * c0 + share * c1
