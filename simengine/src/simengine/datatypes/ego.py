"""Ego states: the logged track, and the eleven-column state vector of the dynamics and the scorer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from simengine.datatypes.check import require_finite, require_shape


class StateIndex(IntEnum):
    """Columns of an ego state vector (..., 11), NAVSIM's order.

    Position and heading are those of the rear axle in the world frame; velocities and accelerations
    are in vehicle axes at the rear axle.
    """

    X = 0
    Y = 1
    HEADING = 2
    VELOCITY_X = 3
    VELOCITY_Y = 4
    ACCELERATION_X = 5
    ACCELERATION_Y = 6
    STEERING_ANGLE = 7
    STEERING_RATE = 8
    ANGULAR_VELOCITY = 9
    ANGULAR_ACCELERATION = 10


STATE_SIZE = len(StateIndex)


@dataclass(frozen=True)
class EgoTrack:
    """Logged states of the ego over T frames.

    Attributes:
        pose: (T, 3) rear axle x, y [m] and yaw [rad] in the world frame.
        velocity: (T, 2) at the rear axle in vehicle axes [m/s].
        acceleration: (T, 2) at the rear axle in vehicle axes [m/s^2].
    """

    pose: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray

    def __post_init__(self) -> None:
        t = len(self.pose)
        require_shape("ego.pose", self.pose, (t, 3))
        require_shape("ego.velocity", self.velocity, (t, 2))
        require_shape("ego.acceleration", self.acceleration, (t, 2))
        for name in ("pose", "velocity", "acceleration"):
            require_finite(f"ego.{name}", getattr(self, name))

    def state(self, frame: int) -> np.ndarray:
        """Return the state vector (11,) at `frame`; steering and yaw terms are zero, as in NAVSIM."""
        state = np.zeros(STATE_SIZE)
        state[0:3] = self.pose[frame]
        state[3:5] = self.velocity[frame]
        state[5:7] = self.acceleration[frame]
        return state
