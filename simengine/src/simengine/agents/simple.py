"""Ego policies without any judgement: repeat the log, keep going, or stop."""

from __future__ import annotations

import numpy as np

from simengine.agents.policy import PLAN_DT, PLAN_STEPS
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.geometry import polyline, se2
from simengine.scenario.scenario import Scenario

BRAKE_DECELERATION = 3.0


class LogReplayPolicy:
    """Plans what the logged ego did; beyond the log it goes on at its last speed and heading."""

    def __init__(self, scenario: Scenario, steps: int = PLAN_STEPS, dt: float = PLAN_DT) -> None:
        self._scenario, self._steps, self._dt = scenario, steps, dt

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`."""
        scenario = self._scenario
        times = (scenario.timestamps_us - scenario.timestamps_us[0]) * 1e-6
        now = (state.timestamp_us - scenario.timestamps_us[0]) * 1e-6
        at = now + self._dt * np.arange(1, self._steps + 1)
        pose = scenario.ego.pose
        yaw = np.unwrap(pose[:, 2])
        future = np.stack([np.interp(at, times, column) for column in (pose[:, 0], pose[:, 1], yaw)], axis=1)
        beyond = np.maximum(at - times[-1], 0.0) * max(scenario.ego.velocity[-1, 0], 0.0)
        future = se2.shift_forward(future, beyond)
        return Plan(se2.to_local(state.ego[:3], future), self._dt)


class ConstantVelocityPolicy:
    """Plans to go straight on at the present speed."""

    def __init__(
        self, scenario: Scenario | None = None, steps: int = PLAN_STEPS, dt: float = PLAN_DT
    ) -> None:
        self._steps, self._dt = steps, dt

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`."""
        poses = np.zeros((self._steps, 3))
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0)
        poses[:, 0] = speed * self._dt * np.arange(1, self._steps + 1)
        return Plan(poses, self._dt)


class BrakePolicy:
    """Plans to stop straight ahead with a deceleration that stays comfortable, and to stand from then on."""

    def __init__(
        self, scenario: Scenario | None = None, steps: int = PLAN_STEPS, dt: float = PLAN_DT
    ) -> None:
        self._steps, self._dt = steps, dt

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`."""
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0)
        braking = np.minimum(self._dt * np.arange(1, self._steps + 1), speed / BRAKE_DECELERATION)
        poses = np.zeros((self._steps, 3))
        poses[:, 0] = (speed - 0.5 * BRAKE_DECELERATION * braking) * braking
        return Plan(poses, self._dt)


class LaneSpeedPolicy:
    """Plans to follow a line at the present speed and to ignore everyone; the naive yardstick.

    Args:
        line: (N, 2) line to follow with the rear axle, in world [m].
        steps: planned poses.
        dt: time between them [s].
    """

    def __init__(self, line: np.ndarray, steps: int = PLAN_STEPS, dt: float = PLAN_DT) -> None:
        self._line, self._steps, self._dt = line, steps, dt

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`."""
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0)
        along, offset = polyline.project(self._line, state.ego[:2])
        ahead = speed * self._dt * np.arange(1, self._steps + 1)
        poses = polyline.sample(self._line, along + ahead)
        fade = offset * np.exp(-ahead / 10.0)
        poses[:, 0] -= np.sin(poses[:, 2]) * fade
        poses[:, 1] += np.cos(poses[:, 2]) * fade
        return Plan(se2.to_local(state.ego[:3], poses), self._dt)
