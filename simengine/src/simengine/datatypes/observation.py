"""What an ego policy is told at a decision step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.lidar import LidarCloud


class DrivingCommand(IntEnum):
    """Where the route goes within the next 20 m; NAVSIM's order."""

    LEFT = 0
    FORWARD = 1
    RIGHT = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Observation:
    """Sensors and ego status at one decision step.

    History arrays run from oldest to the present; their last entry is now.

    Attributes:
        token: scenario id; the same token with a larger `step` continues the same rollout.
        step: decision step, counted from 0 at the first observation of the rollout.
        timestamp_us: time of the observation.
        images: channel -> (H, W, 3) uint8 RGB; empty when no cameras are rendered. Tensors on the renderer's device
            where a planner in the same process asked for them; `host_image` turns either into arrays.
        cameras: calibrations of `images`, same names.
        ego_pose: (3,) rear axle in the world frame [m, m, rad].
        ego_history: (H, 3) past and present rear-axle poses in the present ego frame.
        velocity_history: (H, 2) in vehicle axes [m/s].
        acceleration_history: (H, 2) in vehicle axes [m/s^2].
        command_history: (H,) int8 of `DrivingCommand`.
        history_valid: (H,) bool; false where the rollout has no such past.
        history_dt: time between history entries [s].
        lidar: merged cloud of all lidars; None when none are simulated.
    """

    token: str
    step: int
    timestamp_us: int
    images: dict[str, np.ndarray]
    cameras: tuple[CameraCalibration, ...]
    ego_pose: np.ndarray
    ego_history: np.ndarray
    velocity_history: np.ndarray
    acceleration_history: np.ndarray
    command_history: np.ndarray
    history_valid: np.ndarray
    history_dt: float
    lidar: LidarCloud | None = None


def host_image(image: Any) -> np.ndarray:
    """Return an image as an array in host memory, whether it is one or a tensor on some device."""
    return image if isinstance(image, np.ndarray) else np.asarray(image.detach().cpu())
