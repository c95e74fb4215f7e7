"""The tracker and bicycle against numbers of the public NAVSIM code, and by hand."""

from pathlib import Path

import numpy as np
import pytest

from factories import shared_data
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics import kinematic_bicycle
from simengine.dynamics.reference import curvature_profile, speed_profile
from simengine.dynamics.simulate import simulate

GOLDEN = Path(__file__).parents[2] / "golden" / "dynamics" / "lqr_bicycle.npz"


@pytest.mark.parametrize("source", ["shipped", "shared"])
def test_golden_trajectories(source):
    path = GOLDEN if source == "shipped" else shared_data("golden", "pdm", "lqr_bicycle.npz")
    golden = np.load(path)
    for start in np.unique(golden["group"]):
        rows = golden["group"] == start
        poses = golden["ref_pose"][rows]
        speeds = speed_profile(poses, 0.1)
        np.testing.assert_allclose(speeds, golden["velocity_profile"][rows], atol=1e-8)
        np.testing.assert_allclose(
            curvature_profile(poses, speeds, 0.1), golden["curvature_profile"][rows], atol=1e-8
        )
        states = simulate(golden["initial_state"][start], poses, VehicleParams(), 0.1)
        np.testing.assert_allclose(states, golden["sim_states"][rows], atol=1e-8)


def test_bicycle_drives_a_circle():
    # tan(delta) / L = 1 / R: after a full circle the car is back; Euler steps of 1 ms err by millimetres.
    radius, speed, dt = 20.0, 5.0, 0.001
    vehicle = VehicleParams()
    state = np.zeros((1, STATE_SIZE))
    state[0, StateIndex.VELOCITY_X] = speed
    state[0, StateIndex.STEERING_ANGLE] = np.arctan(vehicle.wheel_base / radius)
    for _ in range(round(2 * np.pi * radius / speed / dt)):
        state = kinematic_bicycle.step(state, np.zeros(1), np.zeros(1), vehicle.wheel_base, dt)
    assert np.hypot(state[0, 0], state[0, 1]) < 0.1
    assert state[0, StateIndex.ANGULAR_VELOCITY] == pytest.approx(speed / radius, rel=1e-6)


def test_bicycle_lags_and_limits():
    state = np.zeros((1, STATE_SIZE))
    following = kinematic_bicycle.step(state, np.array([3.0]), np.array([100.0]), 3.0, 0.1)
    # Acceleration moves by dt / (dt + 0.2) = 1/3 of the way; steering is clipped at 60 degrees.
    assert following[0, StateIndex.ACCELERATION_X] == pytest.approx(1.0)
    assert following[0, StateIndex.STEERING_ANGLE] == pytest.approx(np.pi / 3)


def test_a_stretch_of_steps_is_the_start_of_the_whole():
    golden = np.load(GOLDEN)
    initial, poses = golden["initial_state"][golden["group"][0]], golden["ref_pose"][:1]
    whole = simulate(initial, poses, VehicleParams(), 0.1)
    np.testing.assert_array_equal(simulate(initial, poses, VehicleParams(), 0.1, steps=5), whole[:, :6])
