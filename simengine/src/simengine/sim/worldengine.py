"""The published loop of WorldEngine as rules: 2 Hz, the ego where its plan says, nobody on foot or on two wheels.

Its simulator knows the ego by its box centre: what it calls the ego's velocity is that of the centre. States here
keep their meaning (rear axle, vehicle axes); the centre's velocity is `vx, vy + yaw rate * lever`. docs/protocols.md
has the facts and what differs.
"""

from __future__ import annotations

import numpy as np

from simengine.agents.traffic import LogReplay
from simengine.agents.worldengine.traffic import WorldEngineTraffic
from simengine.datatypes.agents import AgentType
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.tracking import LqrTracking, plan_poses
from simengine.errors import ConfigError
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import rotate, shift_forward
from simengine.scenario.scenario import Scenario
from simengine.sim.rules import LoopRules

PLAN_DT = 0.1
"""Time between the poses of a plan, over which velocities are differences [s]."""

ABSENT = frozenset({AgentType.PEDESTRIAN, AgentType.CYCLIST, AgentType.CZONE_SIGN})
"""Pedestrians and cyclists are never created; construction-zone signs are not even converted."""


class PlanAsDriven:
    """The ego is exactly where the plan says, and moves there as the plan goes on from there.

    The plan is read every 0.1 s. Velocity and yaw rate are differences to the next pose; the last one repeats the
    difference before it.
    """

    def follow(
        self, state: np.ndarray, plan: Plan, vehicle: VehicleParams, dt: float, steps: int
    ) -> np.ndarray:
        """See `Tracker.follow`."""
        stride = _plan_steps(dt)
        planned = int(plan.horizon / PLAN_DT + 1e-9)
        poses = plan_poses(state, plan, PLAN_DT, max(steps * stride, min(steps * stride + 1, planned)))
        lever = vehicle.rear_axle_to_center
        velocity = np.diff(shift_forward(poses, lever)[:, :2], axis=0) / PLAN_DT
        turn = wrap(np.diff(poses[:, 2])) / PLAN_DT
        at = stride * np.arange(1, steps + 1)
        going = np.minimum(at, len(velocity) - 1)
        return _states(poses[at], velocity[going], turn[going], lever, dt, before=state)


class LqrInside:
    """The ego tracks the plan with NAVSIM's tracker and bicycle at 10 Hz between the frames of the protocol.

    It stands in for the published two-stage controller, whose single step of 0.5 s is no car.
    """

    def follow(
        self, state: np.ndarray, plan: Plan, vehicle: VehicleParams, dt: float, steps: int
    ) -> np.ndarray:
        """See `Tracker.follow`."""
        stride = _plan_steps(dt)
        return LqrTracking().follow(state, plan, vehicle, PLAN_DT, steps * stride)[stride - 1 :: stride]


def logged_states(scenario: Scenario, frames: int) -> np.ndarray:
    """Return the first states (frames, 11) of the ego on its log.

    The logged velocity, which is that of the rear axle, is taken for that of the box centre. The yaw rate is the
    difference to the next frame, the acceleration that to the frame before.
    """
    pose = scenario.ego.pose[:frames]
    velocity = rotate(scenario.ego.velocity[:frames], pose[:, 2])
    turn = np.zeros(frames)
    ahead = wrap(np.diff(scenario.ego.pose[: frames + 1, 2])) / scenario.dt
    turn[: len(ahead)] = ahead
    return _states(pose, velocity, turn, scenario.vehicle.rear_axle_to_center, scenario.dt)


def center_motion(states: np.ndarray, vehicle: VehicleParams, dt: float) -> np.ndarray:
    """Return velocity and acceleration (F, 4) of the box centre in vehicle axes, as the planner is told them.

    Acceleration is the change of velocity since the frame before, 0 in the first frame.
    """
    yaw = states[:, StateIndex.HEADING]
    velocity = states[:, StateIndex.VELOCITY_X : StateIndex.VELOCITY_Y + 1].copy()
    velocity[:, 1] += states[:, StateIndex.ANGULAR_VELOCITY] * vehicle.rear_axle_to_center
    in_world = rotate(velocity, yaw)
    change = np.diff(in_world, axis=0, prepend=in_world[:1]) / dt
    return np.concatenate([velocity, rotate(change, -yaw)], axis=1)


def logged_poses(scenario: Scenario, frames: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return the logged poses (H, 3) at `frames`: commands are those of the log, however far off the ego is."""
    return scenario.ego.pose[np.minimum(frames, scenario.num_frames - 1)]


def _states(
    poses: np.ndarray,
    center_velocity: np.ndarray,
    turn: np.ndarray,
    lever: float,
    dt: float,
    before: np.ndarray | None = None,
) -> np.ndarray:
    """Return states (F, 11) of rear-axle poses (F, 3) whose box centres move with velocities (F, 2) in world axes.

    Accelerations are changes since the state before; without one, the first are 0.
    """
    states = np.zeros((len(poses), STATE_SIZE))
    states[:, :3] = poses
    states[:, 3:5] = rotate(center_velocity, -poses[:, 2])
    states[:, StateIndex.VELOCITY_Y] -= turn * lever
    states[:, StateIndex.ANGULAR_VELOCITY] = turn
    known = states if before is None else np.concatenate([before[None], states])
    in_world = rotate(known[:, 3:5], known[:, 2])
    change = np.diff(in_world, axis=0, prepend=in_world[:1])[-len(poses) :] / dt
    states[:, 5:7] = rotate(change, -poses[:, 2])
    spin = known[:, StateIndex.ANGULAR_VELOCITY]
    states[:, StateIndex.ANGULAR_ACCELERATION] = np.diff(spin, prepend=spin[:1])[-len(poses) :] / dt
    return states


def _plan_steps(dt: float) -> int:
    steps = round(dt / PLAN_DT)
    if steps < 1 or abs(steps * PLAN_DT - dt) > 1e-9:
        raise ConfigError(
            f"protocol.dt is {dt} s, expected a multiple of {PLAN_DT} s: worldengine_v1 reads plans that often"
        )
    return steps


WORLDENGINE_RULES = LoopRules(
    trackers={"perfect": PlanAsDriven, "lqr": LqrInside},
    traffic={"NR": LogReplay, "R": WorldEngineTraffic},
    metric="worldengine_v1",
    rewards="worldengine_v1",
    absent=ABSENT,
    warm_up=True,
    logged_states=logged_states,
    told_motion=center_motion,
    commanded_at=logged_poses,
)
