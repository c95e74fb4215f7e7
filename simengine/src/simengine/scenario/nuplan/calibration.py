"""Cameras of a nuPlan log, and the refined intrinsics that reconstructed assets bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from simengine.datatypes.camera import CameraCalibration, ground_from_axle, lens_coefficients
from simengine.errors import ScenarioFormatError
from simengine.geometry.se3 import make_transform, rotation_from_quaternion
from simengine.scenario.restricted_pickle import loads_pickle

if TYPE_CHECKING:
    from simengine.scenario.nuplan.log import NuplanLog

CHANNELS = ("CAM_F0", "CAM_L0", "CAM_L1", "CAM_L2", "CAM_R0", "CAM_R1", "CAM_R2", "CAM_B0")
_LISTS = tuple(
    ("nuplan.database.common.data_types", name) for name in ("Translation", "Rotation", "CameraIntrinsic")
)
"""Thin list types that the devkit may have pickled."""


def read_cameras(log: NuplanLog) -> tuple[CameraCalibration, ...]:
    """Return the cameras of a log: front, left, right, back; none if it lists none.

    Raises:
        ScenarioFormatError: a calibration is no plain data or malformed.
    """
    if "camera" not in log.database.tables:
        return ()
    rows = log.database.rows(
        "SELECT channel, translation, rotation, intrinsic, distortion, width, height FROM camera"
    )
    cameras: dict[str, CameraCalibration] = {}
    for channel, *values in rows:
        cameras.setdefault(str(channel), _camera(f"{log.path}, camera {channel}", str(channel), *values))
    order = {name: place for place, name in enumerate(CHANNELS)}
    return tuple(
        sorted(cameras.values(), key=lambda camera: (order.get(camera.name, len(order)), camera.name))
    )


def _camera(source: str, channel: str, *values: object) -> CameraCalibration:
    *blobs, width, height = values
    try:
        translation, rotation, intrinsic, distortion = (
            np.asarray(loads_pickle(bytes(blob), source, _LISTS), np.float64) for blob in blobs
        )
        return CameraCalibration(
            channel,
            int(width),
            int(height),
            intrinsic.reshape(3, 3),
            ground_from_axle(
                make_transform(rotation_from_quaternion(rotation.reshape(4)), translation.reshape(3))
            ),
            lens_coefficients(distortion),
        )
    except (TypeError, ValueError) as error:
        raise ScenarioFormatError(
            f"{source}: a malformed calibration ({error}), expected translation, rotation, intrinsic, distortion and "
            "image size: download the log again"
        ) from None


def with_asset_intrinsics(
    cameras: tuple[CameraCalibration, ...], calibrations: Mapping[str, Mapping]
) -> tuple[CameraCalibration, ...]:
    """Return the cameras with intrinsics and distortion of an asset: bundle-adjusted ones where it has them.

    Args:
        cameras: of the log.
        calibrations: channel -> entry of `frame_infos[0].cams` in a `video_scene_dict.pkl`.
    """
    refined = []
    for camera in cameras:
        entry = calibrations.get(camera.name)
        if entry is not None:
            entry = entry.get("colmap_param") or entry
            camera = replace(  # noqa: PLW2901
                camera,
                intrinsic=np.array(entry["cam_intrinsic"], np.float64).reshape(3, 3),
                distortion=lens_coefficients(entry.get("distortion")),
            )
        refined.append(camera)
    return tuple(refined)
