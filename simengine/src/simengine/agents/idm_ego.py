"""The ego as a driver of the intelligent driver model: along the route's centre line, behind whoever is in its way."""

from __future__ import annotations

import numpy as np

from simengine.agents.expert import settle_curve
from simengine.agents.idm import IdmParams, acceleration, advance
from simengine.agents.paths import SPACING, Path, PathSet, make_path
from simengine.agents.policy import PLAN_DT, PLAN_STEPS
from simengine.agents.signals import STOP_BEFORE_LINE, find_signals, must_stop, stop_gap
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.geometry import polyline, se2
from simengine.geometry.angles import wrap
from simengine.map.route import path_centerline, route_centerline, route_lanes
from simengine.scenario.scenario import Scenario

FALLBACK_SPEED = 12.0
EXTENSION = 200.0
SIDE_MARGIN = 0.3
LOOK_AHEAD = 100.0
SETTLE_TIME, SETTLE_LENGTH = 2.5, 10.0


class IdmPolicy:
    """Follows the route, or the logged path without one; keeps its lane, its distance and the lights.

    It knows what is there now, not what will be: others keep their speed along the line while it plans.

    Args:
        scenario: gives map, lights, route and sizes.
        params: how to drive.
        speed: wanted where no lane states a limit; None for the highest of the log, or 12 m/s if that is more [m/s].
    """

    def __init__(
        self, scenario: Scenario, params: IdmParams | None = None, speed: float | None = None
    ) -> None:
        self._scenario, self._params = scenario, params or IdmParams()
        logged = float(np.hypot(*scenario.ego.velocity.T).max(initial=0.0))
        self._path = _route_path(scenario, max(FALLBACK_SPEED, logged) if speed is None else speed)
        self._paths = PathSet.pack([self._path])
        self._signals = find_signals([self._path], np.zeros(1, np.int64), scenario.lights, scenario.map)
        vehicle = scenario.vehicle
        self._front = vehicle.rear_axle_to_center + 0.5 * vehicle.length

    @property
    def line(self) -> np.ndarray:
        """The line (N, 2) the rear axle follows."""
        return self._path.poses[:, :2]

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`; the observation is not needed."""
        along, offset = polyline.project(self.line, state.ego[:2])
        travelled = self._travel(state, float(along))
        poses = self._steer(state, float(along), float(offset), travelled)
        return Plan(se2.to_local(state.ego[:3], poses), PLAN_DT)

    def _travel(self, state: SimState, along: float) -> np.ndarray:
        """Return how far (PLAN_STEPS,) the ego will have gone [m]."""
        speed, went = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0), 0.0
        gaps, speeds = self._leaders(state, along)
        travelled = np.empty(PLAN_STEPS)
        for step in range(PLAN_STEPS):
            limit = self._paths.limit(np.zeros(1, np.int64), np.array([along + went]))[0]
            left = gaps + speeds * step * PLAN_DT - went
            accel = acceleration(speed, limit, left, speed - speeds, self._params).min()
            moved, after = advance(np.array(speed), np.array(accel), PLAN_DT)
            went, speed = went + float(moved), float(after)
            travelled[step] = went
        return travelled

    def _leaders(self, state: SimState, along: float) -> tuple[np.ndarray, np.ndarray]:
        """Return bumper gaps (K,) [m] and speeds (K,) along the line of all that is in the way; never none."""
        present = np.flatnonzero(state.agents.present)
        pose, size = state.agents.pose[present], self._scenario.agents.size[present]
        at, side = polyline.project(self.line, pose[:, :2])
        direction = self._paths.pose(np.zeros(len(at), np.int64), at)[:, 2]
        cos, sin = np.abs(np.cos(pose[:, 2] - direction)), np.abs(np.sin(pose[:, 2] - direction))
        half_along = 0.5 * (cos * size[:, 0] + sin * size[:, 1])
        half_across = 0.5 * (sin * size[:, 0] + cos * size[:, 1])
        gap = at - half_along - along - self._front
        reach = half_across + 0.5 * self._scenario.vehicle.width + SIDE_MARGIN
        # Whoever is level with the ego is beside it, not ahead.
        ahead = (
            (np.abs(side) < reach)
            & (at > along + self._scenario.vehicle.rear_axle_to_center)
            & (gap < LOOK_AHEAD)
        )
        velocity = state.agents.velocity[present]
        speed = velocity[:, 0] * np.cos(direction) + velocity[:, 1] * np.sin(direction)
        gaps, speeds = gap[ahead], np.maximum(speed[ahead], 0.0)
        stop = self._stop_ahead(state, along)
        return np.append(gaps, stop), np.append(speeds, 0.0)

    def _stop_ahead(self, state: SimState, along: float) -> float:
        """Return the gap to a closed light as IDM has to see it to stop before the line; infinity without one."""
        lights = self._scenario.lights.state
        closed = must_stop(lights[self._signals.light, min(state.frame, lights.shape[1] - 1)])
        distance = self._signals.s[closed] - along - self._front
        gaps = stop_gap(distance, state.ego[StateIndex.VELOCITY_X])
        return float(gaps.min(initial=np.inf)) + self._params.min_gap - STOP_BEFORE_LINE

    def _steer(self, state: SimState, along: float, offset: float, travelled: np.ndarray) -> np.ndarray:
        """Return world poses (PLAN_STEPS, 3) that go over from where the ego is into the line."""
        rows = np.zeros(len(travelled), np.int64)
        base = self._paths.pose(rows, along + travelled)
        start = self._paths.pose(rows[:1], np.array([along]))[0]
        slope = float(np.tan(np.clip(wrap(state.ego[2] - start[2]), -0.8, 0.8)))
        length = max(SETTLE_TIME * float(state.ego[StateIndex.VELOCITY_X]), SETTLE_LENGTH)
        lateral = settle_curve(offset, slope, 0.0, 0.0, length, travelled)
        beyond = settle_curve(offset, slope, 0.0, 0.0, length, travelled + 0.1)
        poses = base.copy()
        poses[:, 0] -= np.sin(base[:, 2]) * lateral
        poses[:, 1] += np.cos(base[:, 2]) * lateral
        poses[:, 2] = base[:, 2] + np.arctan2(beyond - lateral, 0.1)
        return poses


def _route_path(scenario: Scenario, fallback_speed: float) -> Path:
    """Return the path of the rear axle from behind the ego to beyond the end of the route, with its speed limits."""
    here = scenario.ego.pose[scenario.initial_frame]
    line = route_centerline(scenario.map, scenario.route, here)
    if line is not None:
        line = path_centerline(line, EXTENSION)
    if line is None:
        line = path_centerline(scenario.ego.pose, EXTENSION)
    if line is None:  # it never moves, and nobody says where to
        line = se2.shift_forward(np.repeat(here[None], 2, 0), np.array([-EXTENSION, EXTENSION]))[:, :2]
    line = polyline.resample(line, SPACING)
    yaw = np.unwrap(polyline.headings(line))
    yaw[1:] = 0.5 * (yaw[1:] + yaw[:-1])
    return make_path(np.column_stack([line, yaw]), _limits(scenario, line, fallback_speed))


def _limits(scenario: Scenario, line: np.ndarray, fallback: float) -> np.ndarray:
    """Return the speed limit (N,) of the route's lanes along `line` (N, 2) [m/s]."""
    limit = np.full(len(line), np.nan)
    for lane in route_lanes(scenario.map, scenario.route).values():
        if np.isfinite(lane.speed_limit):
            low, high = lane.centerline[:, :2].min(0) - 2.0, lane.centerline[:, :2].max(0) + 2.0
            near = np.flatnonzero(((line >= low) & (line <= high)).all(1))
            if len(near):
                _, offset = polyline.project(lane.centerline, line[near])
                under = near[np.abs(offset) < 2.0]
                limit[under] = np.fmin(limit[under], lane.speed_limit)
    return np.where(np.isfinite(limit), limit, fallback)
