"""One step of NAVSIM's LQR tracker: from state and reference to acceleration and steering rate.

Source: nuPlan's LQR tracker as vectorised by NAVSIM v1.1. The longitudinal position error is not
used; the lateral model is linearised over a horizon of ten samples.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.geometry.angles import wrap

HORIZON = 10
LONGITUDINAL_WEIGHT = 10.0
LATERAL_WEIGHTS = np.array([1.0, 10.0, 0.0])
INPUT_WEIGHT = 1.0
STOPPING_GAIN = 0.5
STOPPING_SPEED = 0.2
TRACKER_WHEEL_BASE = 3.089


def commands(
    states: np.ndarray,
    poses: np.ndarray,
    speeds: np.ndarray,
    curvatures: np.ndarray,
    step: int,
    dt: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return acceleration (B,) [m/s^2] and steering rate (B,) [rad/s] at time index `step`.

    Args:
        states: (B, 11) current states.
        poses: (B, M + 1, 3) reference poses of the rear axle in the world frame.
        speeds: (B, M) reference speeds, see `reference.speed_profile`.
        curvatures: (B, M) reference curvatures.
        step: index t of the reference pose the vehicle should be at.
        dt: time between reference poses [s].
    """
    last = min(step + HORIZON, speeds.shape[1] - 1)
    window = np.minimum(step + np.arange(HORIZON), last)
    target_speed, curvature = speeds[:, last], curvatures[:, window]
    speed = states[:, StateIndex.VELOCITY_X]
    speed_error = speed - target_speed

    gain = HORIZON * dt
    acceleration = -gain * LONGITUDINAL_WEIGHT * speed_error / (gain**2 * LONGITUDINAL_WEIGHT + INPUT_WEIGHT)

    error = _tracking_error(states, poses[:, step])
    planned_speed = speed[:, None] + acceleration[:, None] * (np.arange(HORIZON) * dt)
    # Roll the linear model F_q = [[1, v dt, 0], [0, 1, v dt / L], [0, 0, 1]] over the horizon.
    free, forced = error.copy(), np.zeros_like(error)
    for q in range(HORIZON):
        v = planned_speed[:, q]
        for vector in (free, forced):
            vector[:, 0], vector[:, 1] = (
                vector[:, 0] + v * dt * vector[:, 1],
                vector[:, 1] + v * dt / TRACKER_WHEEL_BASE * vector[:, 2],
            )
        free[:, 1] -= v * curvature[:, q] * dt
        forced[:, 2] += dt
    free[:, 1:] = np.arctan2(np.sin(free[:, 1:]), np.cos(free[:, 1:]))
    steering_rate = -(forced * LATERAL_WEIGHTS * free).sum(1) / (
        (forced * LATERAL_WEIGHTS * forced).sum(1) + INPUT_WEIGHT
    )

    stopping = (target_speed <= STOPPING_SPEED) & (speed <= STOPPING_SPEED)
    return (
        np.where(stopping, -STOPPING_GAIN * speed_error, acceleration),
        np.where(stopping, 0.0, steering_rate),
    )


def _tracking_error(states: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return lateral error [m], heading error [rad] and steering angle [rad] (B, 3)."""
    dx = states[:, StateIndex.X] - target[:, 0]
    dy = states[:, StateIndex.Y] - target[:, 1]
    lateral = -dx * np.sin(target[:, 2]) + dy * np.cos(target[:, 2])
    heading = wrap(states[:, StateIndex.HEADING] - target[:, 2])
    return np.stack([lateral, heading, states[:, StateIndex.STEERING_ANGLE]], axis=1)
