"""One camera as OpenScene lists it in `cams` of a frame, and as frame dicts of the original do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.datatypes.camera import CameraCalibration, ground_from_axle, lens_coefficients
from simengine.geometry.se3 import make_transform


def axle_from_cam(entry: Mapping) -> np.ndarray:
    """Return the pose (4, 4) of a camera on the vehicle, in the frame at the height of the rear axle.

    Files call it `sensor2lidar`, but OpenScene copies the camera's pose on the vehicle from nuPlan's database into it
    (nuPlan's merged point clouds are in that frame as well), so `lidar2ego` has no part in it.

    Raises:
        KeyError: the entry has no pose.
        ValueError: it has another size.
    """
    rotation = np.asarray(entry["sensor2lidar_rotation"], np.float64).reshape(3, 3)
    return make_transform(rotation, np.asarray(entry["sensor2lidar_translation"], np.float64).reshape(3))


def openscene_camera(name: str, entry: Mapping, width_px: int, height_px: int) -> CameraCalibration:
    """Return the calibration that `entry` states for images of the given size.

    Raises:
        KeyError: something is missing.
        ValueError: something has another size.
        ScenarioFormatError: numbers are not finite.
    """
    return CameraCalibration(
        name=name,
        width_px=width_px,
        height_px=height_px,
        intrinsic=np.asarray(entry["cam_intrinsic"], np.float64),
        ego_from_cam=ground_from_axle(axle_from_cam(entry)),
        distortion=lens_coefficients(entry.get("distortion")),
    )
