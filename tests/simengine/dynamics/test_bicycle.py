"""The kinematic bicycle by hand."""

import numpy as np
import pytest

from oracles import tracker as oracle
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.bicycle import advance, initial_steering, read_car, write_car
from tracker_factories import make_state


def test_a_car_survives_reading_and_writing():
    state, written = make_state(), np.full(11, np.nan)
    write_car(read_car(state), written)
    state[[StateIndex.VELOCITY_Y, StateIndex.ACCELERATION_Y]] = 0.0
    np.testing.assert_array_equal(written, state)


def test_bicycle_drives_a_circle():
    # tan(delta) / L = 1 / R: after a full circle the car is back; Euler steps of 1 ms err by millimetres.
    radius, speed, dt = 20.0, 5.0, 0.001
    vehicle = VehicleParams()
    car = (0.0, 0.0, 0.0, speed, 0.0, float(np.arctan(vehicle.wheel_base / radius)), 0.0, 0.0, 0.0)
    for _ in range(round(2 * np.pi * radius / speed / dt)):
        car = advance(car, 0.0, 0.0, vehicle.wheel_base, dt)
    assert np.hypot(car[0], car[1]) < 0.1
    assert car[7] == pytest.approx(speed / radius, rel=1e-6)


def test_bicycle_lags_and_limits():
    state = np.zeros(11)
    write_car(advance(read_car(state), 3.0, 100.0, 3.0, 0.1), state)
    # Acceleration moves by dt / (dt + 0.2) = 1/3 of the way; steering is clipped at 60 degrees, its rate is not.
    assert state[StateIndex.ACCELERATION_X] == pytest.approx(1.0)
    assert state[StateIndex.STEERING_ANGLE] == pytest.approx(np.pi / 3)
    assert state[StateIndex.STEERING_RATE] == pytest.approx(100.0 * 2.0 / 3.0)


def test_bicycle_is_that_of_the_oracle():
    rng = np.random.default_rng(0)
    for _ in range(50):
        state, written = rng.normal(0.0, 3.0, 11), np.empty(11)
        acceleration, rate = rng.normal(0.0, 3.0, 2)
        state[StateIndex.STEERING_ANGLE] = rng.uniform(-1.0, 1.0)
        write_car(advance(read_car(state), acceleration, rate, 2.7, 0.1), written)
        np.testing.assert_allclose(written, oracle.bicycle(state, acceleration, rate, 2.7, 0.1), atol=1e-9)


def test_steering_follows_from_the_yaw_rate():
    state = make_state(speed=8.0)
    state[StateIndex.STEERING_ANGLE] = 0.0
    car = initial_steering(read_car(state), 3.0)
    # A car that turns at 0.06 rad/s at 8 m/s has tan(delta) = L * 0.06 / 8.
    assert car[5] == pytest.approx(np.arctan(3.0 * 0.06 / 8.0))
    assert car[:5] + car[6:] == read_car(state)[:5] + read_car(state)[6:]


@pytest.mark.parametrize(("speed", "steering"), [(0.4, 0.0), (-0.4, 0.0), (8.0, 0.02)])
def test_steering_stands_when_given_or_unknowable(speed, steering):
    state = make_state(speed=speed)
    state[StateIndex.STEERING_ANGLE] = steering
    assert initial_steering(read_car(state), 3.0)[5] == steering


def test_impossible_yaw_rates_are_steered_as_far_as_possible():
    state = make_state(speed=-1.0)
    state[StateIndex.STEERING_ANGLE], state[StateIndex.ANGULAR_VELOCITY] = 0.0, 50.0
    assert initial_steering(read_car(state), 3.0)[5] == pytest.approx(-np.pi / 3)
