"""A privileged driver: knows map, lights and what the others will do, and picks the best of many candidates.

It drives the logged ego of the built-in world and is an upper bound for learned planners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from simengine.agents.idm import IdmParams
from simengine.agents.paths import SPACING, Path, approach_limit, curve_speed, table
from simengine.agents.policy import PLAN_DT, PLAN_STEPS
from simengine.agents.rollouts import Surroundings, Trial, try_candidate
from simengine.agents.signals import STOP_BEFORE_LINE, must_stop, stop_distance, stop_gap
from simengine.agents.traffic import LogReplay, TrafficModel
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.map import AreaKind, VectorMap
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.geometry import boxes, polyline, se2
from simengine.geometry.angles import wrap
from simengine.map.route import route_centerline, route_lanes
from simengine.scenario.scenario import Scenario

FALLBACK_SPEED_LIMIT = 12.0
NEAR = 80.0
HIT_COST = 2000.0
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
        steering_lead: how much earlier than the path a plan turns in [s]; 0 for a car that tracks perfectly.
        settle_time: time over which a lateral offset is steered to [s]; a second, shorter one for emergencies.
        speed_factor: what the expert takes for the speed limit, in units of the speed limit.
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
    steering_lead: float = 0.18
    settle_time: tuple[float, float] = (2.2, 1.4)
    speed_factor: float = 1.0


@dataclass(frozen=True)
class Candidate:
    """A path of the rear axle with the trial of driving along it."""

    poses: np.ndarray
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
        self._stops = self._find_stops()

    @property
    def line(self) -> np.ndarray:
        """The line (N, 2) the expert follows when nothing is in the way."""
        return self._reference.poses[:, :2]

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`; the observation is not needed."""
        best = self.choose(state)
        at = best.trial.s[1:] / SPACING
        k = np.clip(np.floor(at).astype(int), 0, len(best.poses) - 2)
        f = (at - k)[:, None]
        path = self._anticipate(state, best.poses)
        poses = path[k] + f * (path[k + 1] - path[k])
        return Plan(se2.to_local(state.ego[:3], poses), PLAN_DT)

    def _anticipate(self, state: SimState, poses: np.ndarray) -> np.ndarray:
        """Return path poses (N, 3) bent earlier by the steering lead, from the same start.

        A car behind a tracker steers late; a plan that turns in a little early makes it drive `poses`.
        """
        lead = self._params.steering_lead * max(float(state.ego[StateIndex.VELOCITY_X]), 0.0) / SPACING
        index = np.arange(len(poses), dtype=np.float64)
        yaw = np.interp(index + lead, index, poses[:, 2]) - np.interp(lead, index, poses[:, 2]) + poses[0, 2]
        middle = 0.5 * (yaw[1:] + yaw[:-1])
        steps = np.hypot(*np.diff(poses[:, :2], axis=0).T)
        bent = np.column_stack(
            [
                poses[0, 0] + np.append(0.0, np.cumsum(steps * np.cos(middle))),
                poses[0, 1] + np.append(0.0, np.cumsum(steps * np.sin(middle))),
                yaw,
            ]
        )
        return bent

    def choose(self, state: SimState) -> Candidate:
        """Return the best candidate at `state`."""
        around = self._surroundings(state)
        line = self._reference.poses
        s0, offset = polyline.project(line[:, :2], state.ego[:2])
        stop = self._stop_ahead(state, float(s0))
        centre = [
            self._try(state, float(s0), float(offset), 0.0, profile, stop, around)
            for profile in self._params.speed_profiles[:1]
        ]
        if centre[0].cost < self._worth_thinking(state, centre[0], stop):
            return centre[0]
        candidates = centre + [
            self._try(state, float(s0), float(offset), 0.0, profile, stop, around)
            for profile in self._params.speed_profiles[1:]
        ]
        straight = min(candidates, key=lambda candidate: candidate.cost)
        if np.isfinite(stop) and straight.cost < HIT_COST:
            # In front of a closed light one queues; there is nothing to be gained beside the queue.
            return straight
        for target in self._side_targets(float(offset), np.isfinite(stop)):
            for settle in (0, 1):
                for profile in self._params.speed_profiles[:5:2]:
                    candidates.append(
                        self._try(state, float(s0), float(offset), target, profile, stop, around, settle)
                    )
        return min(candidates, key=lambda candidate: candidate.cost)

    def _worth_thinking(self, state: SimState, free: Candidate, stop: float) -> float:
        """Cost below which driving on along the lane needs no alternative."""
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 3.0)
        slow_leader = free.trial.lead_speed < 0.6 * speed and not np.isfinite(stop)
        return -np.inf if slow_leader else 50.0

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

    def _find_stops(self) -> list[tuple[int, float]]:
        """Lights on the reference: their row and arc length."""
        scenario, found = self._scenario, []
        for row, lane_id in enumerate(scenario.lights.lane_ids):
            lane = scenario.map.lanes.get(lane_id)
            if lane is None or len(lane.centerline) < 2:
                continue
            s = stop_distance(self._reference, lane.centerline, scenario.lights.stop_point[row])
            if s is not None:
                found.append((row, s))
        return found

    def _stop_ahead(self, state: SimState, s0: float) -> float:
        """Distance the box centre may still go before a closed light, plus what IDM keeps; else infinity."""
        frame = min(state.frame, self._scenario.lights.state.shape[1] - 1)
        gaps = [np.inf]
        for row, s in self._stops:
            if must_stop(self._scenario.lights.state[row, frame]):
                distance = np.array(s - s0 - self._rear_to_center - self._half[0])
                gaps.append(float(stop_gap(distance, np.array(state.ego[StateIndex.VELOCITY_X]))))
        return min(gaps) + self._params.idm.min_gap - STOP_BEFORE_LINE

    def _surroundings(self, state: SimState) -> Surroundings:
        forecast = self._traffic.forecast(state, PLAN_STEPS)
        near = np.linalg.norm(forecast.pose[:, 0, :2] - state.ego[:2], axis=1) < NEAR
        use = forecast.present.any(axis=1) & (near | ~forecast.present[:, 0])
        return Surroundings(
            np.ascontiguousarray(forecast.pose[use]),
            np.ascontiguousarray(forecast.velocity[use]),
            np.ascontiguousarray(forecast.present[use]),
            0.5 * self._scenario.agents.size[use, :2],
        )

    def _candidate_path(
        self, state: SimState, s0: float, offset: float, target: float, settle: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rear-axle poses (N, 3) every `SPACING` along the reference while steering to `target`; limits (N,)."""
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0)
        length = max(self._params.settle_time[settle] * speed, (8.0, 5.0)[settle])
        count = int((20.0 + speed * 4.0 + 16.0) / SPACING) + 8
        ahead = np.arange(count) * SPACING
        reference = self._reference
        at = np.minimum((s0 + ahead) / reference.step, len(reference.poses) - 1.001)
        k = at.astype(int)
        f = (at - k)[:, None]
        base = reference.poses[k] + f * (reference.poses[k + 1] - reference.poses[k])
        limit = reference.limit[k]
        start = self._lateral_start(state, offset, base)
        lateral = settle_curve(*start, target, length, ahead)
        xy = base[:, :2] + lateral[:, None] * np.column_stack([-np.sin(base[:, 2]), np.cos(base[:, 2])])
        yaw = base[:, 2] + np.arctan2(np.gradient(lateral, SPACING), 1.0)
        return np.column_stack([xy, yaw]), limit

    def _lateral_start(self, state: SimState, offset: float, base: np.ndarray) -> tuple[float, float, float]:
        """Offset, slope and curvature, all relative to the reference, at which a new path has to start."""
        slope = float(np.tan(np.clip(wrap(state.ego[2] - base[0, 2]), -0.6, 0.6)))
        own = np.tan(state.ego[StateIndex.STEERING_ANGLE]) / self._scenario.vehicle.wheel_base
        bend = (base[4, 2] - base[0, 2]) / (4 * SPACING)
        return offset, slope, float(np.clip(own - bend, -0.1, 0.1))

    def _try(
        self,
        state: SimState,
        s0: float,
        offset: float,
        target: float,
        profile: tuple[float, float],
        stop: float,
        around: Surroundings,
        settle: int = 0,
    ) -> Candidate:
        poses, limit = self._candidate_path(state, s0, offset, target, settle)
        centre = table(
            np.column_stack([se2.shift_forward(poses, self._rear_to_center)[:, :2], poses[:, 2]]), limit
        )
        speed = max(float(state.ego[StateIndex.VELOCITY_X]), 0.0)
        trial = try_candidate(
            centre, SPACING, speed, profile, stop, around, self._half, self._params.idm, PLAN_DT
        )
        cost = self._cost(trial, centre, offset, target, settle, profile)
        return Candidate(poses, target, trial, cost)

    def _cost(
        self,
        trial: Trial,
        centre: np.ndarray,
        offset: float,
        target: float,
        settle: int,
        profile: tuple[float, float],
    ) -> float:
        """Lower is better: safety first, then the road, then progress in metres, then comfort."""
        frames = len(trial.s)
        cost = -float(trial.s[-1])
        if trial.hit < frames:
            cost += HIT_COST + 20.0 * (frames - trial.hit)
        if trial.ttc < frames:
            cost += 200.0 + 2.0 * (frames - trial.ttc)
        if trial.close < frames:
            cost += 60.0 + 1.0 * (frames - trial.close)
        if target != 0.0 or abs(offset) > 0.5:
            cost += self._off_road_cost(trial, centre, target)
        cost += 1.2 * abs(target) + 0.6 * abs(target - offset) + (4.0 if settle else 0.0)
        strongest = float(-np.diff(trial.speed).min()) / PLAN_DT
        return cost + 3.0 * max(strongest - 3.0, 0.0) + (3.0 if profile[1] > 0 else 0.0)

    def _off_road_cost(self, trial: Trial, centre: np.ndarray, target: float) -> float:
        if self._drivable is None:
            return 0.0
        index = np.unique(np.clip(np.round(trial.s[::4] / SPACING).astype(int), 0, len(centre) - 1))
        corners = boxes.corners(centre[index, :3], 2 * self._half[0] + 0.2, 2 * self._half[1] + 0.2).reshape(
            -1, 2
        )
        outside = ~shapely.contains_xy(self._drivable, corners[:, 0], corners[:, 1])
        wrong = ~shapely.contains_xy(self._own_side, corners[:, 0], corners[:, 1])
        # A start outside is no candidate's fault; what counts is where it leads.
        return 1000.0 * float(outside[4:].any()) + 40.0 * float(wrong[4:].any())


def settle_curve(
    offset: float, slope: float, curvature: float, target: float, length: float, ahead: np.ndarray
) -> np.ndarray:
    """Return offsets (N,) [m] at distances `ahead` (N,) that go over into `target` within `length` [m].

    A quintic: it starts with the given offset [m], slope and curvature [1/m] and ends straight.
    """
    u = np.clip(ahead / length, 0.0, 1.0)
    a1, a2 = length * slope, 0.5 * length**2 * curvature
    gap, rate, bend = target - offset - a1 - a2, -a1 - 2 * a2, -2 * a2
    a3, a4, a5 = (
        10 * gap - 4 * rate + 0.5 * bend,
        -15 * gap + 7 * rate - bend,
        6 * gap - 3 * rate + 0.5 * bend,
    )
    return offset + u * (a1 + u * (a2 + u * (a3 + u * (a4 + u * a5))))


def drivable_areas(
    vector_map: VectorMap, route: tuple[str, ...]
) -> tuple[shapely.Geometry | None, shapely.Geometry | None]:
    """Return the drivable area and the part of it in the direction of `route`, prepared for queries."""
    junctions = [area.polygon for area in vector_map.areas_of(AreaKind.INTERSECTION, AreaKind.CARPARK)]
    other = [area.polygon for area in vector_map.areas_of(AreaKind.DRIVABLE)]
    blocks = [block.polygon for block in vector_map.roadblocks.values() if not block.is_connector]
    lanes = [] if blocks else [lane.polygon for lane in vector_map.lanes.values()]
    rings = [ring for ring in (*junctions, *other, *blocks, *lanes) if len(ring) >= 3]
    if not rings:
        return None, None
    whole = _union(rings)
    own = [vector_map.roadblocks[name].polygon for name in route if name in vector_map.roadblocks]
    own = [ring for ring in (*own, *junctions) if len(ring) >= 3]
    side = _union(own).buffer(0.3) if own else whole
    for area in (whole, side):
        shapely.prepare(area)
    return whole, side


def _union(rings: list[np.ndarray]) -> shapely.Geometry:
    return shapely.union_all([shapely.make_valid(shapely.Polygon(ring)) for ring in rings])
