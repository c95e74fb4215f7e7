"""The kinematic bicycle at the rear axle, with first-order lags in acceleration and steering.

Source: nuPlan's kinematic bicycle as vectorised by NAVSIM v1.1 (explicit Euler). Functions of one car, see
`bind.py`.
"""

from __future__ import annotations

from numba import njit
from numpy import arctan, cos, pi, sin, tan

from simengine.dynamics.scalars import clip, where, wrap

ACCELERATION_TIME_CONSTANT = 0.2
STEERING_TIME_CONSTANT = 0.05
MAX_STEERING_ANGLE = pi / 3.0
MIN_TURNING_SPEED = 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def read_car(state):  # type: ignore[no-untyped-def]
    """Return the car of a state vector as x, y, yaw, speed, acceleration, steering, its rate, yaw rate, its rate.

    The model cannot slide: lateral speed and acceleration are not part of it.
    """
    return (state[0], state[1], state[2], state[3], state[5], state[7], state[8], state[9], state[10])


@njit(cache=True, nogil=True, error_model="numpy")
def write_car(car, state):  # type: ignore[no-untyped-def]
    """Fill a state vector (11) with a car, the inverse of `read_car`."""
    state[0], state[1], state[2], state[3], state[5], state[7], state[8], state[9], state[10] = car
    state[4] = 0.0
    state[6] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def advance(car, acceleration_command, steering_command, wheel_base, dt):  # type: ignore[no-untyped-def]
    """Return the car `dt` [s] later.

    Args:
        car: the car now, see `read_car`.
        acceleration_command: [m/s^2].
        steering_command: wanted steering rate [rad/s].
        wheel_base: [m].
        dt: [s].
    """
    x, y, yaw, speed, acceleration, steering, _, yaw_rate, _ = car
    next_x = x + speed * cos(yaw) * dt
    next_y = y + speed * sin(yaw) * dt
    next_yaw = wrap(yaw + speed * tan(steering) / wheel_base * dt)

    lag = dt / (dt + ACCELERATION_TIME_CONSTANT)
    next_acceleration = acceleration + lag * (acceleration_command - acceleration)
    next_speed = speed + next_acceleration * dt

    lag = dt / (dt + STEERING_TIME_CONSTANT)
    steering_rate = lag * steering_command
    next_steering = clip(steering + steering_rate * dt, -MAX_STEERING_ANGLE, MAX_STEERING_ANGLE)

    next_yaw_rate = next_speed * tan(next_steering) / wheel_base
    yaw_acceleration = (next_yaw_rate - yaw_rate) / dt
    return (
        next_x,
        next_y,
        next_yaw,
        next_speed,
        next_acceleration,
        next_steering,
        steering_rate,
        next_yaw_rate,
        yaw_acceleration,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def initial_steering(car, wheel_base):  # type: ignore[no-untyped-def]
    """Return `car` with the steering angle that explains its yaw rate, for example that of a log.

    An angle that is given (not zero) stands. Below 0.5 m/s the angle cannot be told from the yaw rate.
    """
    x, y, yaw, speed, acceleration, steering, steering_rate, yaw_rate, yaw_acceleration = car
    turning = (steering == 0.0) & (abs(speed) > MIN_TURNING_SPEED)
    angle = arctan(wheel_base * yaw_rate / where(turning, speed, 1.0))
    steering = where(turning, clip(angle, -MAX_STEERING_ANGLE, MAX_STEERING_ANGLE), steering)
    return x, y, yaw, speed, acceleration, steering, steering_rate, yaw_rate, yaw_acceleration
