"""Rare events: what goes wrong around the ego, timed so that ignoring it ends in a collision.

Each event aims at `meet`, the time at which the ego at constant speed would arrive at the conflict. It lies
within the scored four seconds; a higher difficulty leaves less of them to react.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simengine.agents.paths import make_path
from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.common_events import clear_ahead, cruise, phase_plan
from simengine.world.places import STOP_OFFSET
from simengine.world.roads import LANE_WIDTH, SHOULDER
from simengine.world.stage import (
    DT,
    INITIAL_TIME,
    NUM_FRAMES,
    SIZES,
    Actor,
    Stage,
    path_along,
    script,
    stand,
    walk,
)

# Where people run or ride into the road, a driver at city speed still has a chance.
SLOW_LIMITS = (8.9, 11.2)
TIMES = np.arange(NUM_FRAMES) * DT


def braking_speeds(speed: float, begin: float, deceleration: float, to: float = 0.0) -> np.ndarray:
    """Return speeds (T,) [m/s] of someone who brakes from `speed` to `to`, starting at `begin` [s]."""
    return np.clip(speed - deceleration * np.maximum(TIMES - begin, 0.0), to, None)


def hard_brake(rng: np.random.Generator, difficulty: float) -> Stage:
    """The leader brakes to a halt for no visible reason."""
    place = places.straight(rng) if rng.random() < 0.7 else places.curve(rng)
    stage = cruise(place, rng, difficulty, 0.8)
    begin = INITIAL_TIME + float(rng.uniform(-0.3, 0.7))
    headway, braking = stage.dial(2.0, 1.3), stage.dial(4.0, 6.5)
    size = stage.random_vehicle_size()
    gap = 2.0 + headway * stage.ego_speed
    start = stage.ego_center + 0.5 * (stage.vehicle.length + size[0]) + gap
    path = path_along(stage.line, 30.0)
    track = script(path, start, braking_speeds(stage.ego_speed, begin, braking))
    clear_ahead(stage, gap)
    stage.actors.append(Actor(AgentType.VEHICLE, size, track=track, hidden_until=begin + 0.3))
    return stage


def cut_in(rng: np.random.Generator, difficulty: float) -> Stage:
    """A slower vehicle from the next lane moves in front of the ego, and then slows down."""
    lanes = int(rng.integers(2, 4))
    own = int(rng.integers(lanes))
    stage = cruise(places.straight(rng, lanes=lanes, lane=own), rng, difficulty, 0.85)
    # Lane 0 is leftmost, so a neighbour with a smaller number comes from the left.
    side = 1.0 if own == lanes - 1 or (own > 0 and rng.random() < 0.5) else -1.0
    begin = INITIAL_TIME + float(rng.uniform(-0.4, 0.8))
    duration = stage.dial(2.4, 1.6)
    speed = stage.ego_speed * stage.dial(0.75, 0.55)
    gap = stage.dial(9.0, 5.0)
    size = stage.random_vehicle_size()
    front = 0.5 * (stage.vehicle.length + size[0])
    # At the start of the change it is `gap` metres ahead of where the ego would be.
    start = stage.reached(begin) + front + gap - speed * begin
    s = np.arange(0.0, polyline.arc_length(stage.line)[-1], 1.0)
    u = np.clip((s - (start + speed * begin)) / (speed * duration), 0.0, 1.0)
    offset = side * LANE_WIDTH * (1.0 - (3 * u**2 - 2 * u**3))
    track = script(
        _shifted(stage, s, offset), start, braking_speeds(speed, begin + duration, 2.0, 0.5 * speed)
    )
    clear_ahead(stage, 45.0)
    stage.keep_clear += [(stage.beside(start + d, side * LANE_WIDTH)[:2], 3.2) for d in range(-12, 60, 4)]
    stage.actors.append(Actor(AgentType.VEHICLE, size, track=track, hidden_until=begin + 0.2))
    return stage


def _shifted(stage: Stage, s: np.ndarray, offset: np.ndarray):  # type: ignore[no-untyped-def]
    """Path beside the ego line with lateral offsets (N,) at arc lengths `s` (N,)."""
    base = polyline.sample(stage.line, s)
    xy = base[:, :2] + offset[:, None] * np.column_stack([-np.sin(base[:, 2]), np.cos(base[:, 2])])
    return make_path(np.column_stack([xy, polyline.headings(xy)]), 30.0)


def pedestrian_dart(rng: np.random.Generator, difficulty: float) -> Stage:
    """Someone runs into the road from behind a parked van."""
    place = places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1, limits=SLOW_LIMITS)
    stage = cruise(place, rng, difficulty, 0.8)
    meet = INITIAL_TIME + stage.dial(3.4, 2.6)
    speed = float(rng.uniform(1.6, 2.3))
    at = stage.reached(meet) + 0.5 * stage.vehicle.length
    kerb = -0.5 * LANE_WIDTH - 0.5 * SHOULDER
    van = (5.4, 2.0, 2.5)
    stage.actors.append(
        Actor(AgentType.VEHICLE, van, track=stand(stage.beside(at - 0.5 * van[0] - 0.8, kerb)))
    )
    begin_at, end_at = kerb - 2.0, 0.5 * LANE_WIDTH + float(rng.uniform(0.5, 8.0)) * stage.rng.integers(2)
    path = np.stack([stage.beside(at, begin_at)[:2], stage.beside(at, end_at + 0.6)[:2]])
    begin = meet - (abs(begin_at) - stage.dial(0.9, 0.3)) / speed
    size = SIZES[AgentType.PEDESTRIAN]
    stage.actors.append(
        Actor(AgentType.PEDESTRIAN, size, track=walk(path, speed, begin), hidden_until=begin + 0.1)
    )
    stage.keep_clear.append((stage.beside(at + 4.0, kerb)[:2], 7.0))
    clear_ahead(stage, at - stage.ego_center + 8.0)
    return stage


def stalled_vehicle(rng: np.random.Generator, difficulty: float) -> Stage:
    """A vehicle stands in the ego's lane."""
    lanes = int(rng.integers(1, 4))
    place = places.straight(rng, lanes=lanes) if rng.random() < 0.7 else places.curve(rng)
    stage = cruise(place, rng, difficulty, 0.85)
    meet = INITIAL_TIME + stage.dial(3.6, 2.8)
    size = stage.random_vehicle_size()
    s = stage.reached(meet) + 0.5 * (stage.vehicle.length + size[0])
    pose = stage.beside(s, float(rng.uniform(-0.7, 0.7)), float(rng.normal(0.0, 0.06)))
    clear_ahead(stage, s - stage.ego_center + 8.0)
    stage.actors.append(
        Actor(AgentType.VEHICLE, size, track=stand(pose), hidden_until=INITIAL_TIME + stage.dial(-0.4, 0.2))
    )
    return stage


def red_light_runner(rng: np.random.Generator, difficulty: float) -> Stage:
    """A vehicle crosses on red while the ego has green."""
    place = places.crossing(rng, "straight")
    limit = place.facts["speed_limit"]
    speed = limit * float(rng.uniform(0.85, 0.98))
    stage = Stage(place, rng, difficulty, 0.0, speed)
    meet = INITIAL_TIME + stage.dial(3.3, 2.5)
    from_south = bool(rng.integers(2))
    arm, target = ("south", "north") if from_south else ("north", "south")
    lane = int(rng.integers(place.facts["lanes"]))
    names = (f"{arm}_b{lane}", f"{arm}_b{lane}__{target}_f{lane}", f"{target}_f{lane}")
    line = polyline.drop_repeated(
        np.concatenate([place.vector_map.lanes[name].centerline for name in names]), 0.05
    )
    ego_s, other_s = _crossing_point(stage.line, line)
    stage.ego_start = ego_s - speed * meet - stage.vehicle.rear_axle_to_center
    runner = min(limit * float(rng.uniform(0.9, 1.25)), 14.0)
    size = stage.random_vehicle_size()
    size = (min(size[0], 5.2), min(size[1], 2.0), size[2])
    # Aimed a little ahead of or behind the ego's centre.
    start = other_s - runner * (meet + float(rng.uniform(-0.25, 0.25)))
    if start < 0.5:
        runner *= (other_s - 0.5) / (other_s - start)
        start = 0.5
    track = script(path_along(line, 30.0), start, np.full(NUM_FRAMES, runner))
    stop = polyline.arc_length(place.vector_map.lanes[place.route_lanes[0]].centerline)[-1] - STOP_OFFSET
    stage.light_plan = phase_plan("west", float(rng.uniform(1.0, 4.0)))
    clear_ahead(stage, max(stop - stage.ego_center, 0.0) + 30.0)
    stage.keep_clear += [
        (point, 4.0) for point in polyline.sample(line, np.arange(0.0, other_s + 40.0, 5.0))[:, :2]
    ]
    stage.actors.append(
        Actor(AgentType.VEHICLE, size, track=track, hidden_until=meet - stage.dial(2.9, 2.3), unnoticed=True)
    )
    return stage


def _crossing_point(line_a: np.ndarray, line_b: np.ndarray) -> tuple[float, float]:
    """Arc lengths at which two lines come closest."""
    a, b = polyline.resample(line_a, 0.5), polyline.resample(line_b, 0.5)
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    i, j = np.unravel_index(int(np.argmin(distance)), distance.shape)
    return float(polyline.arc_length(a)[i]), float(polyline.arc_length(b)[j])


def cyclist_swerve(rng: np.random.Generator, difficulty: float) -> Stage:
    """A cyclist beside the lane swerves into it just before the ego passes."""
    place = places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1, limits=SLOW_LIMITS)
    stage = cruise(place, rng, difficulty, 0.8)
    meet = INITIAL_TIME + stage.dial(3.6, 2.8)
    speed = float(rng.uniform(3.0, 5.0))
    at = stage.reached(meet) + 0.5 * stage.vehicle.length + 0.5
    start = at - speed * meet
    shoulder = -0.5 * LANE_WIDTH - 1.0
    begin = meet - stage.dial(2.5, 1.9)
    s = start + np.arange(0.0, speed * (NUM_FRAMES * DT + 1.0), 0.5)
    u = np.clip((s - start - speed * begin) / (speed * stage.dial(1.8, 1.2)), 0.0, 1.0)
    offset = shoulder + (float(rng.uniform(-0.4, 0.4)) - shoulder) * (3 * u**2 - 2 * u**3)
    track = script(_shifted(stage, s, offset), 0.0, np.full(NUM_FRAMES, speed))
    stage.keep_clear += [(stage.beside(start + d, shoulder)[:2], 4.5) for d in range(-6, 60, 4)]
    clear_ahead(stage, 50.0)
    stage.actors.append(Actor(AgentType.CYCLIST, SIZES[AgentType.CYCLIST], track=track, hidden_until=begin))
    return stage


def cyclist_crossing(rng: np.random.Generator, difficulty: float) -> Stage:
    """A cyclist crosses the road at a crosswalk without looking."""
    place = places.straight(rng, lanes=int(rng.integers(1, 3)))
    stage = cruise(place, rng, difficulty, 0.8)
    road, s = place.roads[place.crosswalks[0][0]], place.crosswalks[0][1]
    meet = INITIAL_TIME + stage.dial(3.4, 2.7)
    centre = polyline.sample(road.line, s)
    at, own_offset = polyline.project(stage.line, centre[:2])
    stage.ego_start = float(at) - stage.ego_speed * meet - stage.vehicle.rear_axle_to_center - 1.5
    side = float(rng.choice([-1.0, 1.0]))
    speed = float(rng.uniform(3.0, 4.5))
    edge = road.edge("left") if side > 0 else road.edge("right")
    # It waits out of the way if it would otherwise start on the road.
    wait = abs(edge - float(own_offset)) + SHOULDER + 1.2
    begin = max(0.0, meet - wait / speed + float(rng.uniform(-0.2, 0.2)))
    path = np.stack([stage.beside(float(at), side * wait)[:2], stage.beside(float(at), -side * 25.0)[:2]])
    clear_ahead(stage, float(at) - stage.ego_center + 6.0)
    stage.actors.append(
        Actor(
            AgentType.CYCLIST,
            SIZES[AgentType.CYCLIST],
            track=walk(path, speed, begin),
            hidden_until=meet - stage.dial(2.6, 2.1),
            unnoticed=True,
        )
    )
    return stage


def cones(rng: np.random.Generator, difficulty: float) -> Stage:
    """A taper of cones and a barrier close part of the lane."""
    lanes = int(rng.integers(1, 3))
    place = places.straight(rng, lanes=lanes, lane=-1)
    stage = cruise(place, rng, difficulty, 0.8)
    meet = INITIAL_TIME + stage.dial(3.4, 2.5)
    first = stage.reached(meet) + 0.5 * stage.vehicle.length
    depth = stage.dial(1.2, 2.2)
    hidden = INITIAL_TIME + stage.dial(-0.6, 0.0)
    count = 6
    size = SIZES[AgentType.TRAFFIC_CONE]
    for k in range(count + 5):
        reach = min(k / (count - 1), 1.0) * depth
        pose = stage.beside(first + 2.6 * k - 6.0, -0.5 * LANE_WIDTH + reach, float(rng.uniform(-0.3, 0.3)))
        stage.actors.append(Actor(AgentType.TRAFFIC_CONE, size, track=stand(pose), hidden_until=hidden))
    behind = stage.beside(first + 2.6 * (count + 0.5) - 6.0, -0.5 * LANE_WIDTH + depth - 1.2, 0.5 * np.pi)
    stage.actors.append(
        Actor(AgentType.BARRIER, SIZES[AgentType.BARRIER], track=stand(behind), hidden_until=hidden)
    )
    clear_ahead(stage, 60.0)
    return stage


def oncoming_drift(rng: np.random.Generator, difficulty: float) -> Stage:
    """An oncoming vehicle drifts over the centre line into the ego's lane and back."""
    place = places.straight(rng, lanes=int(rng.integers(1, 3)), lane=0)
    stage = cruise(place, rng, difficulty, 0.75)
    meet = INITIAL_TIME + stage.dial(3.3, 2.6)
    speed = stage.ego_speed * float(rng.uniform(0.6, 0.9))
    at = stage.reached(meet)
    s = np.arange(0.0, at + speed * meet + 40.0, 1.0)
    # Measured along the ego line, it comes from far ahead and drifts for about 35 m before the meeting.
    intrusion = stage.dial(1.9, 2.6)
    bump = np.exp(-(((s - at) / 14.0) ** 2))
    path = _shifted(stage, s, LANE_WIDTH - intrusion * bump)
    reverse = make_path((path.poses + [0.0, 0.0, np.pi])[::-1], 30.0)
    start = reverse.length - (at + speed * meet) * reverse.length / s[-1]
    track = script(reverse, start, np.full(NUM_FRAMES, speed))
    stage.keep_clear += [
        (stage.beside(at + speed * meet - d, LANE_WIDTH)[:2], 4.5) for d in range(-12, 140, 4)
    ]
    clear_ahead(stage, 45.0)
    size = stage.random_vehicle_size()
    size = (min(size[0], 5.2), min(size[1], 2.0), size[2])
    stage.actors.append(Actor(AgentType.VEHICLE, size, track=track, hidden_until=meet - stage.dial(2.6, 2.0)))
    return stage


RARE_EVENTS: dict[str, Callable[[np.random.Generator, float], Stage]] = {
    "hard_brake": hard_brake,
    "cut_in": cut_in,
    "pedestrian_dart": pedestrian_dart,
    "stalled_vehicle": stalled_vehicle,
    "red_light_runner": red_light_runner,
    "cyclist_swerve": cyclist_swerve,
    "cyclist_crossing": cyclist_crossing,
    "cones": cones,
    "oncoming_drift": oncoming_drift,
}
