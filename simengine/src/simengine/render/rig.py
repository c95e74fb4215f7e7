"""The eight-camera rig of the nuPlan vehicle.

The numbers are those of the real rig, rounded. nuPlan gives camera heights above the rear axle; our ego frame
lies on the ground, so `AXLE_HEIGHT` is added.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.camera import CameraCalibration, ground_from_axle
from simengine.geometry.se3 import make_transform

NATIVE_WIDTH_PX = 1920
NATIVE_HEIGHT_PX = 1080
FOCAL_PX = 1545.0
PRINCIPAL_POINT_PX = (960.0, 560.0)
DISTORTION = (-0.356123, 0.172545, -0.00213, 0.000464, -0.05231)

# Channel: yaw and pitch up [deg], then x, y, z [m] from the rear axle; order of the published data.
_MOUNTS: tuple[tuple[str, float, float, tuple[float, float, float]], ...] = (
    ("CAM_F0", 0.0, -1.0, (1.67, 0.0, 1.52)),
    ("CAM_L0", 55.0, -0.5, (1.64, 0.15, 1.52)),
    ("CAM_L1", 112.0, -1.5, (1.28, 0.65, 1.41)),
    ("CAM_L2", 141.0, -1.0, (-0.49, 0.52, 1.39)),
    ("CAM_R0", -55.0, -0.5, (1.64, -0.15, 1.52)),
    ("CAM_R1", -112.0, -1.5, (1.28, -0.65, 1.41)),
    ("CAM_R2", -141.0, -1.0, (-0.49, -0.52, 1.39)),
    ("CAM_B0", 180.0, -0.5, (-0.49, 0.0, 1.49)),
)

CHANNELS: tuple[str, ...] = tuple(mount[0] for mount in _MOUNTS)


def camera_rotation(yaw: float, pitch: float) -> np.ndarray:
    """Return `ego_from_cam` rotation (3, 3) of a level camera turned to `yaw` and up by `pitch` [rad]."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def nuplan_rig(
    width_px: int = NATIVE_WIDTH_PX, height_px: int = NATIVE_HEIGHT_PX, distortion: bool = False
) -> tuple[CameraCalibration, ...]:
    """Return the nuPlan vehicle's eight cameras for images of the given size.

    Args:
        width_px: image width; the intrinsics scale with it.
        height_px: image height; the intrinsics scale with it.
        distortion: whether to keep the real lens distortion; without it the cameras are pinholes.
    """
    intrinsic = np.array(
        [[FOCAL_PX, 0.0, PRINCIPAL_POINT_PX[0]], [0.0, FOCAL_PX, PRINCIPAL_POINT_PX[1]], [0.0, 0.0, 1.0]]
    )
    cameras = []
    for name, yaw_deg, pitch_deg, (x, y, z) in _MOUNTS:
        rotation = camera_rotation(np.radians(yaw_deg), np.radians(pitch_deg))
        camera = CameraCalibration(
            name=name,
            width_px=NATIVE_WIDTH_PX,
            height_px=NATIVE_HEIGHT_PX,
            intrinsic=intrinsic,
            ego_from_cam=ground_from_axle(make_transform(rotation, np.array([x, y, z]))),
            distortion=np.array(DISTORTION if distortion else (0.0,) * 5),
        )
        cameras.append(camera.resized(width_px, height_px))
    return tuple(cameras)
