"""The LQR tracker: from a car and its reference to an acceleration and a steering rate.

Source: nuPlan's LQR tracker as vectorised by NAVSIM v1.1. The longitudinal position error is not used. Functions
of one car, see `bind.py`.
"""

from __future__ import annotations

from numba import njit
from numpy import cos, sin

from simengine.dynamics.scalars import where, wrap

HORIZON = 10
SPEED_WEIGHT = 10.0
LATERAL_WEIGHT = 1.0
HEADING_WEIGHT = 10.0
INPUT_WEIGHT = 1.0
STOPPING_GAIN = 0.5
STOPPING_SPEED = 0.2
TRACKER_WHEEL_BASE = 3.089


@njit(cache=True, nogil=True, error_model="numpy")
def command(car, pose, target_speed, curvatures, start, dt):  # type: ignore[no-untyped-def]
    """Return the commanded acceleration [m/s^2] and steering rate [rad/s].

    Args:
        car: the car now, see `bicycle.read_car`.
        pose: x, y, yaw where it should be now.
        target_speed: reference speed at the end of the horizon.
        curvatures: reference curvatures of intervals.
        start: index of the interval that starts now; the `HORIZON` intervals from it on count.
        dt: time between reference poses [s].
    """
    x, y, yaw, speed, _, steering, _, _, _ = car
    too_fast = speed - target_speed
    gain = HORIZON * dt
    acceleration = -gain * SPEED_WEIGHT * too_fast / (gain * gain * SPEED_WEIGHT + INPUT_WEIGHT)

    # Where the car ends up relative to its path if the wheels are not turned, and what a unit steering rate adds.
    lateral = (y - pose[1]) * cos(pose[2]) - (x - pose[0]) * sin(pose[2])
    heading = wrap(yaw - pose[2])
    lateral_gain, heading_gain = 0.0 * lateral, 0.0 * lateral
    for q in range(HORIZON):
        distance = (speed + acceleration * (q * dt)) * dt
        lateral = lateral + distance * heading
        lateral_gain = lateral_gain + distance * heading_gain
        heading = heading + distance * (steering / TRACKER_WHEEL_BASE - curvatures[start + q])
        heading_gain = heading_gain + distance * (q * dt / TRACKER_WHEEL_BASE)
    steering_rate = -(
        LATERAL_WEIGHT * lateral_gain * lateral + HEADING_WEIGHT * heading_gain * wrap(heading)
    ) / (
        LATERAL_WEIGHT * lateral_gain * lateral_gain
        + HEADING_WEIGHT * heading_gain * heading_gain
        + INPUT_WEIGHT
    )

    stopping = (target_speed <= STOPPING_SPEED) & (speed <= STOPPING_SPEED)
    return where(stopping, -STOPPING_GAIN * too_fast, acceleration), where(stopping, 0.0, steering_rate)
