"""Point clouds as nuPlan stores its merged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.files.pcd import pcd_bytes, read_pcd


def point_cloud_bytes(cloud: LidarCloud) -> bytes:
    """Return the .pcd file of a cloud with nuPlan's fields, in nuPlan's ego frame, which is at the rear axle."""
    x, y, z = cloud.points.T
    columns = {
        "x": x,
        "y": y,
        "z": z - np.float32(AXLE_HEIGHT),
        "intensity": cloud.intensity,
        "ring": cloud.ring,
    }
    return pcd_bytes(columns | {"lidar_info": cloud.sensor})


def read_point_cloud(path: Path) -> LidarCloud:
    """Return the cloud of a .pcd file with nuPlan's fields.

    Raises:
        ScenarioFormatError: the file is missing, broken or holds something that is not finite.
    """
    columns = read_pcd(path)
    points = np.stack([columns["x"], columns["y"], columns["z"] + np.float32(AXLE_HEIGHT)], axis=1)
    rest = (columns[name].astype(np.uint8) for name in ("intensity", "ring", "lidar_info"))
    return LidarCloud(points.astype(np.float32), *rest)
