"""How far a view is from those that were recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se3 import transform_from_pose

FAR = 2.0
"""Distance [m] at which trust has fallen to exp(-1/2)."""
TURNED_DEG = 15.0
"""The same for the angle [degrees]."""


@dataclass(frozen=True)
class RecordedViews:
    """V cameras that recorded what a scene was made from.

    Attributes:
        positions: (V, 3) in the world frame [m].
        rotations: (V, 3, 3) `world_from_cam`.
    """

    positions: np.ndarray
    rotations: np.ndarray

    def nearest(self, world_from_cam: np.ndarray) -> tuple[float, float]:
        """Return distance [m] and angle [degrees] of the recorded view, of any channel, that `closeness` prefers.

        Args:
            world_from_cam: (4, 4) pose of a camera.
        """
        distance = np.linalg.norm(self.positions - world_from_cam[:3, 3], axis=1)
        # By the difference of matrices rather than the trace, which cannot tell small angles from zero.
        chord = np.linalg.norm(self.rotations - world_from_cam[:3, :3], axis=(1, 2)) / np.sqrt(8.0)
        angle = 2.0 * np.degrees(np.arcsin(np.minimum(chord, 1.0)))
        best = int(np.argmin((distance / FAR) ** 2 + (angle / TURNED_DEG) ** 2))
        return float(distance[best]), float(angle[best])


def recorded_views(ego_poses: np.ndarray, cameras: Sequence[CameraCalibration]) -> RecordedViews:
    """Return the views of a rig at every logged ego pose (T, 3)."""
    poses = np.array(
        [transform_from_pose(pose) @ camera.ego_from_cam for pose in ego_poses for camera in cameras]
    )
    return RecordedViews(poses[:, :3, 3], poses[:, :3, :3])


def closeness(distance: np.ndarray, angle_deg: np.ndarray) -> np.ndarray:
    """Return exp(-((d / 2 m)^2 + (a / 15 degrees)^2) / 2), elementwise: 1 on a recorded view."""
    return np.exp(-0.5 * ((distance / FAR) ** 2 + (angle_deg / TURNED_DEG) ** 2))
