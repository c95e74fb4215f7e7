"""Acceleration and steering, held for one decision, driving the kinematic bicycle directly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.bicycle import MAX_STEERING_ANGLE, advance, read_car, write_car
from simengine.errors import ConfigError, PlanError
from simengine.geometry.se2 import to_local

LONGEST_STEP = 0.1


@dataclass(frozen=True)
class ControlLimits:
    """What full deflection means.

    Attributes:
        acceleration: at +1 [m/s^2].
        deceleration: at -1 [m/s^2].
        steering: angle of the front wheels at +1, to the left [rad].
        steering_rate: fastest turning of the wheels [rad/s].
    """

    acceleration: float = 2.5
    deceleration: float = 5.0
    steering: float = 0.35
    steering_rate: float = 1.0

    def __post_init__(self) -> None:
        if min(self.acceleration, self.deceleration, self.steering, self.steering_rate) <= 0:
            raise ConfigError(f"control limits are {self}, expected numbers > 0")
        if self.steering > MAX_STEERING_ANGLE:
            raise ConfigError(
                f"control.steering is {self.steering} rad, expected at most "
                f"{MAX_STEERING_ANGLE:.3f}, the bicycle's limit"
            )


@dataclass(frozen=True)
class ControlPlan(Plan):
    """A plan that is the drive under held controls; the poses tell others where it leads.

    Attributes:
        acceleration: wanted [m/s^2].
        steering: wanted angle of the front wheels [rad].
        steering_rate: fastest turning of the wheels [rad/s].
    """

    acceleration: float = 0.0
    steering: float = 0.0
    steering_rate: float = 1.0


class ControlTracking:
    """The bicycle under the controls of a `ControlPlan`; its lags apply, and it never reverses."""

    def follow(
        self, state: np.ndarray, plan: Plan, vehicle: VehicleParams, dt: float, steps: int
    ) -> np.ndarray:
        """See `Tracker.follow`."""
        if not isinstance(plan, ControlPlan):
            raise PlanError(
                f"the plan is a {type(plan).__name__}, expected a ControlPlan: use another tracker"
            )
        stride, control = substeps(dt), (plan.acceleration, plan.steering, plan.steering_rate)
        states = drive(state, control, vehicle.wheel_base, dt / stride, steps * stride)
        return states[stride - 1 :: stride]


def substeps(dt: float) -> int:
    """Return in how many steps the bicycle covers `dt` [s]: none is longer than 0.1 s, or its lags overshoot."""
    return max(int(np.ceil(dt / LONGEST_STEP - 1e-9)), 1)


def drive(
    state: np.ndarray, control: tuple[float, float, float], wheel_base: float, dt: float, steps: int
) -> np.ndarray:
    """Return the states (steps, 11) after `state` (11,) under held controls.

    Args:
        state: present state.
        control: acceleration [m/s^2], steering angle [rad] and steering rate limit [rad/s].
        wheel_base: [m].
        dt: time between states [s].
        steps: how many.
    """
    acceleration, steering, limit = control
    states = np.empty((steps, len(state)))
    car = read_car(np.asarray(state, np.float64))
    for following in states:
        rate = float(np.clip((steering - car[5]) / dt, -limit, limit))
        car = advance(car, acceleration, rate, wheel_base, dt)
        write_car(car, following)
        if following[StateIndex.VELOCITY_X] < 0.0:
            following[
                [
                    StateIndex.VELOCITY_X,
                    StateIndex.ACCELERATION_X,
                    StateIndex.ANGULAR_VELOCITY,
                    StateIndex.ANGULAR_ACCELERATION,
                ]
            ] = 0.0
            car = read_car(following)
    return states


def control_plan(
    action: np.ndarray, state: np.ndarray, limits: ControlLimits, wheel_base: float, steps: int, dt: float
) -> ControlPlan:
    """Return the plan of deflections `action` (2,): pedal and wheel, each in [-1, 1], clipped.

    Raises:
        PlanError: the action is not two finite numbers.
    """
    pedal, wheel = _deflections(action)
    acceleration = pedal * (limits.acceleration if pedal > 0 else limits.deceleration)
    steering = wheel * limits.steering
    states = drive(state, (acceleration, steering, limits.steering_rate), wheel_base, dt, steps)
    return ControlPlan(
        poses=to_local(state[:3], states[:, :3]),
        dt=dt,
        acceleration=acceleration,
        steering=steering,
        steering_rate=limits.steering_rate,
    )


def _deflections(action: np.ndarray) -> tuple[float, float]:
    values = np.asarray(action, np.float64)
    if values.shape != (2,) or not np.isfinite(values).all():
        raise PlanError(
            f"a control is {values.tolist()}, expected two finite numbers in [-1, 1]: pedal and wheel"
        )
    pedal, wheel = np.clip(values, -1.0, 1.0)
    return float(pedal), float(wheel)
