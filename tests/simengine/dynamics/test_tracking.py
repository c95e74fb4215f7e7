"""Following a plan: perfectly, or with tracker and bicycle."""

import numpy as np
import pytest

from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.tracking import LqrTracking, PerfectTracking, plan_poses
from simengine.errors import PlanError
from simengine.geometry import se2


def straight_plan(speed: float, poses: int = 40, dt: float = 0.1) -> Plan:
    times = np.arange(1, poses + 1) * dt
    return Plan(np.stack([speed * times, np.zeros(poses), np.zeros(poses)], axis=1), dt)


def moving_state(speed: float, pose=(5.0, -3.0, 0.7)) -> np.ndarray:
    state = np.zeros(STATE_SIZE)
    state[:3], state[StateIndex.VELOCITY_X] = pose, speed
    return state


def test_perfect_tracking_is_where_the_plan_says():
    state, plan = moving_state(8.0), straight_plan(8.0)
    states = PerfectTracking().follow(state, plan, VehicleParams(), 0.1, 5)
    np.testing.assert_allclose(states[:, :3], se2.to_parent(state[:3], plan.poses[:5]), atol=1e-12)
    np.testing.assert_allclose(states[:, StateIndex.VELOCITY_X], 8.0)
    np.testing.assert_allclose(
        states[:, StateIndex.VELOCITY_Y : StateIndex.ACCELERATION_Y + 1], 0.0, atol=1e-9
    )


def test_lqr_keeps_a_steady_drive_steady():
    state = moving_state(8.0)
    states = LqrTracking().follow(state, straight_plan(8.0), VehicleParams(), 0.1, 20)
    expected = se2.to_parent(state[:3], straight_plan(8.0).poses[:20])
    np.testing.assert_allclose(states[:, :2], expected[:, :2], atol=0.02)


def test_plans_of_another_rate_are_interpolated():
    slow = straight_plan(8.0, poses=8, dt=0.5)
    fast = straight_plan(8.0)
    state = moving_state(8.0)
    np.testing.assert_allclose(plan_poses(state, slow, 0.1, 40), plan_poses(state, fast, 0.1, 40), atol=1e-9)


def test_a_plan_that_is_too_short_is_refused():
    with pytest.raises(PlanError, match="reaches 0.30 s ahead, expected at least 0.50 s"):
        PerfectTracking().follow(moving_state(1.0), straight_plan(1.0, poses=3), VehicleParams(), 0.1, 5)


@pytest.mark.parametrize(
    ("poses", "dt", "words"),
    [
        (np.zeros((0, 3)), 0.1, "shape"),
        (np.zeros((4, 2)), 0.1, "shape"),
        (np.full((4, 3), np.nan), 0.1, "NaN"),
        (np.zeros((4, 3)), 0.0, "dt"),
    ],
)
def test_malformed_plans_are_refused(poses, dt, words):
    with pytest.raises(PlanError, match=words):
        Plan(poses, dt)
