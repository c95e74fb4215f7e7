"""Point clouds as nuPlan stores its merged ones, and how many points boxes hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.files.pcd import pcd_bytes, read_pcd
from simengine.geometry.se2 import to_local

_GROUND = 0.05
"""Points up to this height above the road are the road [m]."""


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


def points_in_boxes(cloud: LidarCloud, boxes: np.ndarray) -> np.ndarray:
    """Return how many points (n,) int64 lie in each of `boxes`.

    Args:
        cloud: points in the ego frame.
        boxes: (n, 7) x, y, unused, length, width, height [m] and yaw [rad] in the ego frame, standing on the road.
    """
    raised = cloud.points[cloud.points[:, 2] > _GROUND].astype(np.float64)
    counts = np.zeros(len(boxes), np.int64)
    for row, (x, y, _, length, width, height, yaw) in enumerate(boxes):
        near = raised[np.abs(raised[:, :2] - (x, y)).max(axis=1) < 0.5 * np.hypot(length, width)]
        planar = np.concatenate([near[:, :2], np.zeros((len(near), 1))], axis=1)
        local = np.abs(to_local(np.array([x, y, yaw]), planar)[:, :2])
        counts[row] = ((local <= (0.5 * length, 0.5 * width)).all(axis=1) & (near[:, 2] <= height)).sum()
    return counts
