"""The two ways in which the ego follows a plan: perfectly, or as a car with a tracker would."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.simulate import simulate
from simengine.errors import PlanError
from simengine.geometry import angles
from simengine.geometry.se2 import rotate, to_parent


class Tracker(Protocol):
    """Turns a plan into the next states."""

    def follow(
        self, state: np.ndarray, plan: Plan, vehicle: VehicleParams, dt: float, steps: int
    ) -> np.ndarray:
        """Return states (steps, 11) after `state` (11,), `dt` [s] apart, while following `plan`."""
        ...


class PerfectTracking:
    """The ego is exactly where the plan says; velocities follow from differences."""

    def follow(
        self, state: np.ndarray, plan: Plan, vehicle: VehicleParams, dt: float, steps: int
    ) -> np.ndarray:
        """See `Tracker.follow`."""
        poses = plan_poses(state, plan, dt, steps)
        following = np.zeros((steps, STATE_SIZE))
        following[:, :3] = poses[1:]
        velocity_world = np.diff(poses[:, :2], axis=0) / dt
        following[:, 3:5] = rotate(velocity_world, -poses[1:, 2])
        previous = np.concatenate([state[None, 3:5], following[:-1, 3:5]])
        following[:, 5:7] = (following[:, 3:5] - previous) / dt
        following[:, StateIndex.ANGULAR_VELOCITY] = angles.wrap(np.diff(poses[:, 2])) / dt
        turn = np.concatenate(
            [[state[StateIndex.ANGULAR_VELOCITY]], following[:, StateIndex.ANGULAR_VELOCITY]]
        )
        following[:, StateIndex.ANGULAR_ACCELERATION] = np.diff(turn) / dt
        return following


class LqrTracking:
    """The plan is tracked by NAVSIM's LQR controller and driven by a kinematic bicycle."""

    def follow(
        self, state: np.ndarray, plan: Plan, vehicle: VehicleParams, dt: float, steps: int
    ) -> np.ndarray:
        """See `Tracker.follow`."""
        count = max(int(np.floor(plan.horizon / dt + 1e-9)), steps)
        poses = plan_poses(state, plan, dt, count)
        return simulate(state, poses[None], vehicle, dt, steps)[0, 1:]


def plan_poses(state: np.ndarray, plan: Plan, dt: float, count: int) -> np.ndarray:
    """Return planned poses (count + 1, 3) in the world frame, `dt` [s] apart, the present pose first.

    Between planned poses they are linear in x, y and unwrapped yaw.

    Raises:
        PlanError: the plan ends before `count * dt`.
    """
    if plan.horizon < count * dt - 1e-6:
        raise PlanError(
            f"a plan reaches {plan.horizon:.2f} s ahead, expected at least {count * dt:.2f} s: plan further or "
            "decide more often"
        )
    local = np.concatenate([np.zeros((1, 3)), plan.poses])
    knots = np.arange(len(local)) * plan.dt
    times = np.arange(count + 1) * dt
    sampled = np.stack(
        [
            np.interp(times, knots, local[:, 0]),
            np.interp(times, knots, local[:, 1]),
            angles.interpolate(times, knots, local[:, 2]),
        ],
        axis=1,
    )
    return to_parent(state[:3], sampled)
