"""Pedal and wheel: what full deflection does, the bicycle underneath, and what is refused."""

import numpy as np
import pytest

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.bicycle import advance, read_car
from simengine.errors import ConfigError, PlanError
from simengine.geometry.se2 import to_local
from simengine.gym.control import ControlLimits, ControlTracking, control_plan, drive

VEHICLE = VehicleParams()
LIMITS = ControlLimits()


def make_state(speed: float = 8.0, yaw: float = 0.3) -> np.ndarray:
    state = np.zeros(11)
    state[[0, 1, 2, 3]] = 5.0, -2.0, yaw, speed
    return state


def plan_of(action, state=None) -> Plan:
    state = make_state() if state is None else state
    return control_plan(np.array(action), state, LIMITS, VEHICLE.wheel_base, 40, 0.1)


def test_the_bicycle_is_driven_directly():
    state = make_state()
    states = ControlTracking().follow(state, plan_of([0.4, 0.5]), VEHICLE, 0.1, 10)
    car = read_car(state)
    for row in states:
        rate = np.clip((0.5 * LIMITS.steering - car[5]) / 0.1, -LIMITS.steering_rate, LIMITS.steering_rate)
        car = advance(car, 0.4 * LIMITS.acceleration, rate, VEHICLE.wheel_base, 0.1)
        np.testing.assert_array_equal(
            row[[0, 1, 2, 3, 5, 7]], [car[0], car[1], car[2], car[3], car[4], car[5]]
        )


def test_the_wheel_turns_left_and_arrives():
    states = drive(make_state(yaw=0.0), (0.0, 0.2, 1.0), VEHICLE.wheel_base, 0.1, 40)
    assert states[-1, StateIndex.STEERING_ANGLE] == pytest.approx(0.2, abs=1e-6)
    assert states[-1, StateIndex.Y] > 1.0
    # Kinematics: yaw rate = v tan(steering) / wheel base.
    assert states[-1, StateIndex.ANGULAR_VELOCITY] == pytest.approx(
        8.0 * np.tan(0.2) / VEHICLE.wheel_base, rel=1e-6
    )


def test_full_braking_stops_and_does_not_reverse():
    plan = plan_of([-1.0, 0.3])
    states = ControlTracking().follow(make_state(), plan, VEHICLE, 0.1, 40)
    speed = states[:, StateIndex.VELOCITY_X]
    assert speed.min() == 0.0
    assert (speed[25:] == 0.0).all()  # 8 m/s at 5 m/s^2 is 1.6 s, and the lag of 0.2 s
    np.testing.assert_array_equal(states[26:, :2], np.tile(states[26, :2], (14, 1)))


def test_a_standing_car_starts_again():
    states = drive(make_state(0.0), (2.5, 0.0, 1.0), VEHICLE.wheel_base, 0.1, 20)
    assert states[-1, StateIndex.VELOCITY_X] > 3.5


def test_the_plan_says_where_the_controls_lead():
    state = make_state()
    plan = plan_of([0.2, -0.4])
    states = ControlTracking().follow(state, plan, VEHICLE, 0.1, 40)
    np.testing.assert_allclose(plan.poses, to_local(state[:3], states[:, :3]), atol=1e-12)


def test_deflections_beyond_one_are_one():
    np.testing.assert_array_equal(plan_of([3.0, -7.0]).poses, plan_of([1.0, -1.0]).poses)


@pytest.mark.parametrize("action", [[0.0], [np.nan, 0.0], [0.0, np.inf], [[0.0, 0.0]]])
def test_malformed_controls_are_refused(action):
    with pytest.raises(PlanError, match="two finite numbers"):
        plan_of(action)


def test_another_plan_is_refused():
    with pytest.raises(PlanError, match="ControlPlan"):
        ControlTracking().follow(make_state(), Plan(np.ones((40, 3)), 0.1), VEHICLE, 0.1, 5)


@pytest.mark.parametrize("limits", [{"acceleration": 0.0}, {"steering": 2.0}, {"steering_rate": -1.0}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ConfigError, match="expected"):
        ControlLimits(**limits)
