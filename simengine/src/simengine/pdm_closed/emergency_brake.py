"""The emergency brake of PDM-Closed: straight on at a speed meant to stop the car, when a crash is near.

Source: `PDMEmergencyBrake` of NAVSIM v1.1, which is built there but never asked; so it is off by default here.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry.se2 import shift_forward
from simengine.pdm_closed.parameters import PdmClosedParameters

TIME_TO_COLLISION = 2.0
EGO_SPEED = 5.0
ROLLING_SPEED = 0.2
MAX_COMMAND = 2.40
MIN_COMMAND = -4.05


def emergency_poses(
    ego: np.ndarray, vehicle: VehicleParams, collision_frame: float, parameters: PdmClosedParameters
) -> np.ndarray | None:
    """Return the rear-axle poses (51, 3) of an emergency stop, or None if there is no emergency.

    There is one if the best proposal hits something by its own fault within 2.0 s while the ego drives at most
    5.0 m/s. The published command aims well below standstill, so such a plan may lead backwards.

    Args:
        ego: (11,) present state.
        vehicle: dimensions.
        collision_frame: frame of the first at-fault collision of the best proposal, infinity without one.
        parameters: rates, and whether to brake at all.
    """
    speed = float(np.hypot(ego[StateIndex.VELOCITY_X], ego[StateIndex.VELOCITY_Y]))
    near = collision_frame * parameters.dt <= TIME_TO_COLLISION
    if not (parameters.brake_in_emergency and near and speed <= EGO_SPEED):
        return None
    times = parameters.dt * np.arange(parameters.trajectory_steps + 1)
    return shift_forward(np.repeat(ego[None, :3], len(times), axis=0), emergency_speed(ego, vehicle) * times)


def emergency_speed(ego: np.ndarray, vehicle: VehicleParams) -> float:
    """Return the constant speed [m/s] at which an emergency stop is planned; negative is backwards."""
    turn, turning = ego[StateIndex.ANGULAR_VELOCITY], ego[StateIndex.ANGULAR_ACCELERATION]
    # Along the vehicle axis the box centre is as fast as the rear axle. Published is this shift of the acceleration.
    speed = float(ego[StateIndex.VELOCITY_X])
    acceleration = float(ego[StateIndex.ACCELERATION_X] + vehicle.rear_axle_to_center * (turn**2 + turning))
    if speed > ROLLING_SPEED:
        return 1.1 * (speed + max(min(-10.0 * speed, MAX_COMMAND), MIN_COMMAND))
    return float(np.clip(-4.0 * speed - acceleration, MIN_COMMAND, MAX_COMMAND))
