"""Images of a road for any rig: colours of the ground under each pixel, sky above the horizon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.camera import CameraCalibration, ground_from_axle
from simengine.geometry.se3 import make_transform

SKY, GRASS, ASPHALT = (150, 190, 230), (60, 120, 50), (85, 85, 90)
LINE, EDGE = (235, 200, 30), (240, 240, 240)
ROAD_HALF_WIDTH, LANE_HALF_WIDTH = 5.25, 1.75
_LINE_HALF_WIDTH, _EDGE_HALF_WIDTH = 0.2, 0.08
_FOCAL_PX, _PRINCIPAL_PX, _WIDTH_PX, _HEIGHT_PX = 1545.0, (960.0, 560.0), 1920, 1080
# Channel, yaw [deg], then x, y, z [m] from the rear axle, as on the nuPlan car.
_MOUNTS = (
    ("CAM_F0", 0.0, (1.67, 0.0, 1.52)),
    ("CAM_L0", 55.0, (1.64, 0.15, 1.52)),
    ("CAM_L1", 112.0, (1.28, 0.65, 1.41)),
    ("CAM_L2", 141.0, (-0.49, 0.52, 1.39)),
    ("CAM_R0", -55.0, (1.64, -0.15, 1.52)),
    ("CAM_R1", -112.0, (1.28, -0.65, 1.41)),
    ("CAM_R2", -141.0, (-0.49, -0.52, 1.39)),
    ("CAM_B0", 180.0, (-0.49, 0.0, 1.49)),
)


@dataclass(frozen=True)
class Road:
    """A road through the ego: an arc ahead of it, an arc behind it.

    Attributes:
        ahead: curvature in front [1/m], to the left positive.
        behind: curvature at the back; equal to `ahead` on a circle.
        offset: where the middle of the ego's lane lies beside the ego [m], to the left positive.
    """

    ahead: float = 0.0
    behind: float = 0.0
    offset: float = 0.0

    def beside(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return how far points in the ego frame lie to the left of the middle of the lane [m]."""
        return np.where(x >= 0.0, _left_of_arc(x, y - self.offset, self.ahead), 0.0) + np.where(
            x < 0.0, _left_of_arc(x, y - self.offset, self.behind), 0.0
        )

    def middle(self, distance: float) -> float:
        """Return y [m] of the middle of the lane, `distance` [m] along it in front of the ego."""
        half = 0.5 * self.ahead * distance
        return self.offset + distance * float(np.sinc(half / np.pi) * np.sin(half))


def make_rig(width_px: int = 320, height_px: int = 180) -> tuple[CameraCalibration, ...]:
    """Return eight cameras at the places of the nuPlan car's, level, without distortion."""
    intrinsic = np.array([[_FOCAL_PX, 0, _PRINCIPAL_PX[0]], [0, _FOCAL_PX, _PRINCIPAL_PX[1]], [0, 0, 1.0]])
    cameras = []
    for name, yaw_deg, place in _MOUNTS:
        yaw = np.radians(yaw_deg)
        forward, right = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([np.sin(yaw), -np.cos(yaw), 0])
        rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose = ground_from_axle(make_transform(rotation, np.array(place)))
        camera = CameraCalibration(name, _WIDTH_PX, _HEIGHT_PX, intrinsic, pose, np.zeros(5))
        cameras.append(camera.resized(width_px, height_px))
    return tuple(cameras)


def paint(road: Road, cameras: tuple[CameraCalibration, ...]) -> dict[str, np.ndarray]:
    """Return an image (H, W, 3) uint8 RGB of the road for each camera."""
    return {camera.name: _paint_one(road, camera) for camera in cameras}


def ground_points(camera: CameraCalibration) -> np.ndarray:
    """Return the points (H, W, 2) of the ground in the ego frame under each pixel, NaN at and above the horizon."""
    u, v = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    rays = np.linalg.inv(camera.intrinsic) @ np.stack([u, v, np.ones_like(u)]).reshape(3, -1)
    x, y, z = camera.ego_from_cam[:3, :3] @ rays
    place = camera.ego_from_cam[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(z < -1e-6, -place[2] / z, np.nan)
    points = np.stack([place[0] + depth * x, place[1] + depth * y], axis=-1)
    return points.reshape(camera.height_px, camera.width_px, 2)


def _paint_one(road: Road, camera: CameraCalibration) -> np.ndarray:
    points = ground_points(camera)
    ground = ~np.isnan(points[..., 0])
    image = np.full((camera.height_px, camera.width_px, 3), SKY, np.uint8)
    beside = road.beside(*np.nan_to_num(points.transpose(2, 0, 1)))
    image[ground] = GRASS
    image[ground & (np.abs(beside) < ROAD_HALF_WIDTH)] = ASPHALT
    image[ground & (np.abs(np.abs(beside) - LANE_HALF_WIDTH) < _EDGE_HALF_WIDTH)] = EDGE
    image[ground & (np.abs(beside) < _LINE_HALF_WIDTH)] = LINE
    return image


def _left_of_arc(x: np.ndarray, y: np.ndarray, curvature: float) -> np.ndarray:
    if abs(curvature) < 1e-9:
        return y
    radius = 1.0 / curvature
    return np.sign(radius) * (abs(radius) - np.hypot(x, y - radius))
