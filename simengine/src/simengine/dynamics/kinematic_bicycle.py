"""The kinematic bicycle at the rear axle, with first-order lags in acceleration and steering.

Source: nuPlan's kinematic bicycle as vectorised by NAVSIM v1.1 (explicit Euler).
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.geometry.angles import wrap

ACCELERATION_TIME_CONSTANT = 0.2
STEERING_TIME_CONSTANT = 0.05
MAX_STEERING_ANGLE = np.pi / 3


def step(
    states: np.ndarray, acceleration: np.ndarray, steering_rate: np.ndarray, wheel_base: float, dt: float
) -> np.ndarray:
    """Return the states (B, 11) that follow `states` (B, 11) after `dt` [s].

    Args:
        states: current states; lateral velocity is dropped, as the model cannot slide.
        acceleration: commanded acceleration (B,) [m/s^2].
        steering_rate: commanded steering rate (B,) [rad/s].
        wheel_base: [m].
        dt: [s].
    """
    i = StateIndex
    x, y, yaw, v = (states[:, c] for c in (i.X, i.Y, i.HEADING, i.VELOCITY_X))
    steering = states[:, i.STEERING_ANGLE]

    lag = dt / (dt + ACCELERATION_TIME_CONSTANT)
    next_acceleration = states[:, i.ACCELERATION_X] + lag * (acceleration - states[:, i.ACCELERATION_X])
    lag = dt / (dt + STEERING_TIME_CONSTANT)
    rate = ((steering + lag * (dt * steering_rate)) - steering) / dt

    following = np.zeros_like(states)
    following[:, i.X] = x + v * np.cos(yaw) * dt
    following[:, i.Y] = y + v * np.sin(yaw) * dt
    following[:, i.HEADING] = wrap(yaw + v * np.tan(steering) / wheel_base * dt)
    following[:, i.VELOCITY_X] = v + next_acceleration * dt
    following[:, i.ACCELERATION_X] = next_acceleration
    following[:, i.STEERING_ANGLE] = np.clip(steering + rate * dt, -MAX_STEERING_ANGLE, MAX_STEERING_ANGLE)
    following[:, i.STEERING_RATE] = rate
    turn = following[:, i.VELOCITY_X] * np.tan(following[:, i.STEERING_ANGLE]) / wheel_base
    following[:, i.ANGULAR_VELOCITY] = turn
    following[:, i.ANGULAR_ACCELERATION] = (turn - states[:, i.ANGULAR_VELOCITY]) / dt
    return following
