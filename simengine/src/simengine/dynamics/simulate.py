"""From planned poses to the states a car would really go through."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics import kinematic_bicycle, lqr
from simengine.dynamics.reference import curvature_profile, speed_profile


def simulate(
    initial_state: np.ndarray, poses: np.ndarray, vehicle: VehicleParams, dt: float, steps: int | None = None
) -> np.ndarray:
    """Return the states (B, steps + 1, 11) of a car that tracks `poses` from `initial_state`.

    Args:
        initial_state: (11,) state at time 0, kept unchanged as the first row.
        poses: (B, M + 1, 3) reference poses of the rear axle in the world frame, `dt` apart, from time 0.
        vehicle: dimensions.
        dt: [s].
        steps: how many steps to simulate, at most and by default M.
    """
    steps = poses.shape[1] - 1 if steps is None else steps
    speeds = speed_profile(poses, dt)
    curvatures = curvature_profile(poses, speeds, dt)
    # NAVSIM converts integer microseconds; the last bit of dt differs from 0.1 and scores are compared to it.
    model_dt = round(dt * 1e6) * 1e-6
    states = np.zeros((len(poses), steps + 1, initial_state.shape[0]))
    states[:, 0] = initial_state
    for t in range(steps):
        acceleration, steering_rate = lqr.commands(states[:, t], poses, speeds, curvatures, t, dt)
        states[:, t + 1] = kinematic_bicycle.step(
            states[:, t], acceleration, steering_rate, vehicle.wheel_base, model_dt
        )
    return states
