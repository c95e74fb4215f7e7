"""A privileged driver: knows map, lights and what the others will do, and picks the best of many candidates.

It drives the logged ego of the built-in world and is an upper bound for learned planners.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely

from simengine.agents.idm import IdmParams
from simengine.agents.paths import SPACING, Path, approach_limit, curve_speed, table
from simengine.agents.policy import PLAN_DT, PLAN_STEPS
from simengine.agents.road_areas import drivable_areas
from simengine.agents.rollouts import Surroundings, Trial, crossed_at, try_candidate
from simengine.agents.settle import settle_curve, turned_in_early
from simengine.agents.stops import Stops
from simengine.agents.traffic import LogReplay, TrafficModel
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.dynamics.simulate import simulate
from simengine.geometry import boxes, polyline, se2
from simengine.geometry.angles import wrap
from simengine.map.route import route_centerline, route_lanes
from simengine.scenario.scenario import Scenario

FALLBACK_SPEED_LIMIT = 12.0
NEAR = 120.0
HIT_COST = 2000.0
# Frames from one decision to the next, and how hard the ego would brake after it to stay out of a crossing [m/s^2].
NEXT_DECISION = 5
FIRM_BRAKING = 3.5
WAIT_BEFORE = 1.2
# Frames over which it counts how well a plan is tracked.
TRACKED_STEPS = 20
EXPERT_IDM = IdmParams(max_acceleration=1.6, comfortable_deceleration=2.0, headway=1.3, min_gap=2.5)


@dataclass(frozen=True)
class ExpertParams:
    """How the expert drives.

    Attributes:
        idm: acceleration, braking and distances.
        lateral_acceleration: at most in curves [m/s^2].
        speed_profiles: fraction of the speed limit and least deceleration [m/s^2] to try.
        nudges: lateral offsets within and around the lane to try when the lane is blocked [m].
        lane_width: offset of a neighbouring lane [m].
        steering_leads: how much earlier than its path a plan may turn in [s], because a car behind a tracker steers
            late; the one with which it stays nearest to the path is taken. Only 0 for a car that tracks perfectly.
        settle_time: time over which a lateral offset is steered to [s]; a second, shorter one for emergencies.
        speed_factor: what the expert takes for the speed limit, in units of the speed limit.
        foresight_steps: frames the expert looks ahead where it has to commit itself; at least those of a plan.
    """

    idm: IdmParams = EXPERT_IDM
    lateral_acceleration: float = 2.2
    speed_profiles: tuple[tuple[float, float], ...] = (
        (1.0, 0.0),
        (0.75, 0.0),
        (0.5, 0.0),
        (0.25, 1.0),
        (0.0, 2.5),
        (0.0, 4.0),
        (0.0, 7.0),
    )
    nudges: tuple[float, ...] = (0.6, -0.6, 1.2, -1.2, 1.9, -1.9, 2.6, -2.6)
    lane_width: float = 3.6
    steering_leads: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    settle_time: tuple[float, float] = (2.2, 1.4)
    speed_factor: float = 1.0
    foresight_steps: int = 60


@dataclass(frozen=True)
class Situation:
    """What the expert knows when it decides.

    Attributes:
        state: the present.
        s: arc length of the rear axle on the reference [m].
        offset: distance of the rear axle to its left [m].
        stop: distance to halt at, in the terms of `try_candidate` [m].
        around: predicted surroundings.
        crossed: distance along the lane until others will cross it [m].
    """

    state: SimState
    s: float
    offset: float
    stop: float
    around: Surroundings
    crossed: float = np.inf

    @property
    def speed(self) -> float:
        """Present speed, never negative [m/s]."""
        return max(float(self.state.ego[StateIndex.VELOCITY_X]), 0.0)


@dataclass(frozen=True)
class Candidate:
    """A path of the rear axle with the trial of driving along it; `center` is that of the box centre."""

    poses: np.ndarray
    center: np.ndarray
    target: float
    trial: Trial
    cost: float


class ExpertPolicy:
    """Drives along the route, around obstacles, and stops for people, queues and lights.

    Args:
        scenario: gives map, lights, route and sizes.
        traffic: the traffic that will be driven in; its forecast is the privilege. Log replay by default.
        params: how to drive.
        line: (N, 2) line to follow instead of the route's.
    """

    def __init__(
        self,
        scenario: Scenario,
        traffic: TrafficModel | None = None,
        params: ExpertParams | None = None,
        line: np.ndarray | None = None,
    ) -> None:
        self._scenario = scenario
        self._traffic = traffic if traffic is not None else LogReplay(scenario)
        self._params = params or ExpertParams()
        vehicle = scenario.vehicle
        self._half = np.array([0.5 * vehicle.length, 0.5 * vehicle.width])
        self._rear_to_center = vehicle.rear_axle_to_center
        self._drivable, self._own_side = drivable_areas(scenario.map, scenario.route)
        self._reference = self._make_reference(line)
        self._stops = Stops(scenario, self._reference)

    @property
    def line(self) -> np.ndarray:
        """The line (N, 2) the expert follows when nothing is in the way."""
        return self._reference.poses[:, :2]

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`; the observation is not needed."""
        best = self.choose(state)
        at = best.trial.s[1 : PLAN_STEPS + 1] / SPACING
        k = np.clip(np.floor(at).astype(int), 0, len(best.poses) - 2)
        f = (at - k)[:, None]
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0)
        paths = [turned_in_early(best.poses, lead * speed) for lead in self._params.steering_leads]
        plans = np.stack([path[k] + f * (path[k + 1] - path[k]) for path in paths])
        return Plan(se2.to_local(state.ego[:3], plans[self._nearest(state, plans, best.poses)]), PLAN_DT)

    def _nearest(self, state: SimState, plans: np.ndarray, poses: np.ndarray) -> int:
        """Index of the plan (P, 40, 3) with which a car behind a tracker stays nearest to the path `poses` (N, 3)."""
        if len(plans) == 1:
            return 0
        from_now = np.concatenate([np.broadcast_to(state.ego[:3], (len(plans), 1, 3)), plans], axis=1)
        driven = simulate(state.ego, from_now, self._scenario.vehicle, PLAN_DT, TRACKED_STEPS)[:, 1:, :2]
        _, offset = polyline.project(poses[:, :2], driven)
        return int(np.argmin((offset**2).sum(axis=1)))

    def choose(self, state: SimState) -> Candidate:
        """Return the best candidate at `state`."""
        now, profiles = self._situation(state), self._params.speed_profiles
        free = self._try(now, 0.0, profiles[0])
        if free.trial.first_trouble < len(free.trial.s):
            now = replace(now, crossed=crossed_at(free.center, SPACING, now.around, self._half))
            free = self._try(now, 0.0, profiles[0])
        if free.cost < self._worth_thinking(now, free):
            return free
        candidates = [free] + [self._try(now, 0.0, profile) for profile in profiles[1:]]
        # Short of where others cross one can wait for them.
        short = min(now.stop, now.crossed + self._params.idm.min_gap - WAIT_BEFORE)
        if short < now.stop:
            waiting = replace(now, stop=short)
            candidates += [self._try(waiting, 0.0, profile) for profile in profiles[:3]]
        straight = min(candidates, key=lambda candidate: candidate.cost)
        if np.isfinite(min(now.stop, now.crossed)) and straight.cost < HIT_COST:
            # Before a closed light one queues, and for who crosses one waits; nothing is to be gained beside.
            return straight
        for target in self._side_targets(now.offset, np.isfinite(now.stop)):
            for settle in (0, 1):
                candidates += [self._try(now, target, profile, settle) for profile in profiles[:5:2]]
        return min(candidates, key=lambda candidate: candidate.cost)

    def _situation(self, state: SimState) -> Situation:
        s, offset = polyline.project(self._reference.poses[:, :2], state.ego[:2])
        stop = self._stops.gap(state, float(s)) + self._params.idm.min_gap
        return Situation(state, float(s), float(offset), stop, self._surroundings(state))

    def _worth_thinking(self, now: Situation, free: Candidate) -> float:
        """Cost below which driving on along the lane needs no alternative."""
        slow_leader = free.trial.lead_speed < 0.6 * max(now.speed, 3.0) and not np.isfinite(now.stop)
        crossed = np.isfinite(now.crossed) and free.trial.first_trouble < self._counted(now, free.trial)
        return -np.inf if slow_leader or crossed else 50.0

    def _side_targets(self, offset: float, queue: bool) -> tuple[float, ...]:
        params = self._params
        lanes = () if queue else (params.lane_width, -params.lane_width)
        return tuple(sorted({*params.nudges, *lanes, round(offset, 1)} - {0.0}))

    def _make_reference(self, line: np.ndarray | None) -> Path:
        scenario = self._scenario
        if line is None:
            line = route_centerline(scenario.map, scenario.route, scenario.ego.pose[0])
            line = None if line is None else polyline.drop_repeated(line, 1e-3)
        if line is None or len(line) < 2 or polyline.arc_length(line)[-1] < 5.0:
            line = polyline.drop_repeated(scenario.ego.pose[:, :2], 0.5)
        if len(line) < 2:
            line = se2.shift_forward(np.repeat(scenario.ego.pose[:1], 2, axis=0), np.array([0.0, 1.0]))[:, :2]
        end = polyline.sample(line, polyline.arc_length(line)[-1] + np.array([50.0, 150.0]))
        line = polyline.resample(np.concatenate([line[:, :2], end[:, :2]]), SPACING)
        step = float(polyline.arc_length(line)[-1] / (len(line) - 1))
        yaw = np.unwrap(polyline.headings(line))
        yaw[1:] = 0.5 * (yaw[1:] + yaw[:-1])
        limit = np.minimum(
            self._speed_limits(line) * self._params.speed_factor,
            curve_speed(yaw, step, self._params.lateral_acceleration),
        )
        return Path(np.column_stack([line, yaw]), approach_limit(limit, step), step)

    def _speed_limits(self, line: np.ndarray) -> np.ndarray:
        limit = np.full(len(line), np.nan)
        for lane in route_lanes(self._scenario.map, self._scenario.route).values():
            if np.isfinite(lane.speed_limit):
                _, offset = polyline.project(lane.centerline, line[::4])
                near = np.repeat(np.abs(offset) < 2.0, 4)[: len(line)]
                limit[near] = np.fmin(limit[near], lane.speed_limit)
        logged = float(np.hypot(*self._scenario.ego.velocity.T).max()) if len(limit) else 0.0
        known = limit[np.isfinite(limit)]
        fallback = known[-1] if len(known) else max(FALLBACK_SPEED_LIMIT, logged)
        return np.where(np.isfinite(limit), limit, fallback)

    def _surroundings(self, state: SimState) -> Surroundings:
        forecast = self._traffic.forecast(state, max(self._params.foresight_steps, PLAN_STEPS))
        near = np.linalg.norm(forecast.pose[:, 0, :2] - state.ego[:2], axis=1) < NEAR
        use = forecast.present.any(axis=1) & (near | ~forecast.present[:, 0])
        return Surroundings(
            np.ascontiguousarray(forecast.pose[use]),
            np.ascontiguousarray(forecast.velocity[use]),
            np.ascontiguousarray(forecast.present[use]),
            0.5 * self._scenario.agents.size[use, :2],
        )

    def _candidate_path(self, now: Situation, target: float, settle: int) -> tuple[np.ndarray, np.ndarray]:
        """Rear-axle poses (N, 3) every `SPACING` along the reference while steering to `target`; limits (N,)."""
        length = max(self._params.settle_time[settle] * now.speed, (8.0, 5.0)[settle])
        seconds = PLAN_DT * max(self._params.foresight_steps, PLAN_STEPS)
        reach = 20.0 + now.speed * seconds + seconds**2
        ahead = np.arange(int(reach / SPACING) + 8) * SPACING
        reference = self._reference
        at = np.minimum((now.s + ahead) / reference.step, len(reference.poses) - 1.001)
        k = at.astype(int)
        f = (at - k)[:, None]
        base = reference.poses[k] + f * (reference.poses[k + 1] - reference.poses[k])
        limit = reference.limit[k]
        start = self._lateral_start(now, base)
        lateral = settle_curve(*start, target, length, ahead)
        xy = base[:, :2] + lateral[:, None] * np.column_stack([-np.sin(base[:, 2]), np.cos(base[:, 2])])
        yaw = base[:, 2] + np.arctan2(np.gradient(lateral, SPACING), 1.0)
        return np.column_stack([xy, yaw]), limit

    def _lateral_start(self, now: Situation, base: np.ndarray) -> tuple[float, float, float]:
        """Offset, slope and curvature, all relative to the reference, at which a new path has to start."""
        ego = now.state.ego
        slope = float(np.tan(np.clip(wrap(ego[2] - base[0, 2]), -0.6, 0.6)))
        own = np.tan(ego[StateIndex.STEERING_ANGLE]) / self._scenario.vehicle.wheel_base
        bend = (base[4, 2] - base[0, 2]) / (4 * SPACING)
        return now.offset, slope, float(np.clip(own - bend, -0.1, 0.1))

    def _try(self, now: Situation, target: float, profile: tuple[float, float], settle: int = 0) -> Candidate:
        """Drive to lateral offset `target` with a speed profile, and see what comes of it."""
        poses, limit = self._candidate_path(now, target, settle)
        center = table(
            np.column_stack([se2.shift_forward(poses, self._rear_to_center)[:, :2], poses[:, 2]]), limit
        )
        trial = try_candidate(
            center, SPACING, now.speed, profile, now.stop, now.around, self._half, self._params.idm, PLAN_DT
        )
        cost = self._cost(now, trial, center, target) + (4.0 if settle else 0.0)
        return Candidate(poses, center, target, trial, cost + (3.0 if profile[1] > 0 else 0.0))

    def _cost(self, now: Situation, trial: Trial, center: np.ndarray, target: float) -> float:
        """Lower is better: safety first, then the road, then progress in metres, then comfort."""
        counted = self._counted(now, trial)
        cost = -float(trial.s[PLAN_STEPS])
        if trial.hit < counted:
            cost += HIT_COST + 20.0 * (counted - trial.hit)
        if trial.ttc < counted:
            cost += 200.0 + 2.0 * (counted - trial.ttc)
        if trial.close < counted:
            cost += 60.0 + 1.0 * (counted - trial.close)
        if target != 0.0 or abs(now.offset) > 0.5:
            cost += self._off_road_cost(trial, center)
        cost += 1.2 * abs(target) + 0.6 * abs(target - now.offset)
        strongest = float(-np.diff(trial.speed[: PLAN_STEPS + 1]).min()) / PLAN_DT
        return cost + 3.0 * max(strongest - 3.0, 0.0)

    def _counted(self, now: Situation, trial: Trial) -> int:
        """Frames in which trouble counts: those of the plan, and later ones once nothing can be done about them.

        That is so if before the next decision the ego is too close to where others cross to stop there.
        """
        to_stop = trial.s[NEXT_DECISION] + trial.speed[NEXT_DECISION] ** 2 / (2.0 * FIRM_BRAKING)
        return len(trial.s) if to_stop > now.crossed else PLAN_STEPS + 1

    def _off_road_cost(self, trial: Trial, center: np.ndarray) -> float:
        if self._drivable is None:
            return 0.0
        along = trial.s[: PLAN_STEPS + 1 : 4]
        index = np.unique(np.clip(np.round(along / SPACING).astype(int), 0, len(center) - 1))
        corners = boxes.corners(center[index, :3], 2 * self._half[0] + 0.2, 2 * self._half[1] + 0.2).reshape(
            -1, 2
        )
        outside = ~shapely.contains_xy(self._drivable, corners[:, 0], corners[:, 1])
        wrong = ~shapely.contains_xy(self._own_side, corners[:, 0], corners[:, 1])
        # A start outside is no candidate's fault; what counts is where it leads.
        return 1000.0 * float(outside[4:].any()) + 40.0 * float(wrong[4:].any())
