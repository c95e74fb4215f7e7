"""Everyday driving: what most training scenarios are about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.places import STOP_OFFSET, Place
from simengine.world.roads import SHOULDER
from simengine.world.stage import INITIAL_TIME, SIZES, Actor, Stage, path_along, stand, walk

GREEN_TIME = 14.0
YELLOW_TIME = 2.5
ALL_RED_TIME = 1.0
PHASE = GREEN_TIME + YELLOW_TIME + ALL_RED_TIME
STOP_FRONT = 1.2


def phase_plan(arm: str, since_green: float) -> Callable[[str, float], LightState]:
    """Return a light plan where the arms are green one after another.

    Args:
        arm: the arm that anchors the plan.
        since_green: how long it has been green at time 0 [s]; negative if it will turn green then.
    """

    def plan(which: str, time: float) -> LightState:
        turn = (places.ARM_NAMES.index(which) - places.ARM_NAMES.index(arm)) % 4
        at = (time + since_green - turn * PHASE) % (4 * PHASE)
        if at < GREEN_TIME:
            return LightState.GREEN
        return LightState.YELLOW if at < GREEN_TIME + YELLOW_TIME else LightState.RED

    return plan


def cruise(place: Place, rng: np.random.Generator, difficulty: float, low: float = 0.75) -> Stage:
    """Return a stage with the ego already driving at between `low` and 1 of the speed limit."""
    limit = place.facts["speed_limit"]
    return Stage(place, rng, difficulty, place.start, limit * float(rng.uniform(low, 0.98)))


def free_drive(rng: np.random.Generator, difficulty: float) -> Stage:
    """A straight road with nobody just ahead."""
    stage = cruise(places.straight(rng), rng, difficulty, 0.6)
    clear_ahead(stage, 70.0)
    return stage


def bend(rng: np.random.Generator, difficulty: float) -> Stage:
    """A bend that has to be driven more slowly than the road before it."""
    stage = cruise(places.curve(rng), rng, difficulty, 0.7)
    clear_ahead(stage, 50.0)
    return stage


def following(rng: np.random.Generator, difficulty: float) -> Stage:
    """A leader that drives a little slower than the ego would like to."""
    place = places.straight(rng) if rng.random() < 0.6 else places.curve(rng)
    stage = cruise(place, rng, difficulty)
    add_leader(stage, stage.ego_speed * float(rng.uniform(0.6, 0.95)), float(rng.uniform(1.3, 2.4)))
    return stage


def add_leader(stage: Stage, speed: float, headway: float) -> None:
    """Add a vehicle on the ego line that wants `speed` [m/s], `headway` seconds ahead."""
    size = stage.random_vehicle_size()
    gap = 2.5 + headway * stage.ego_speed
    start = stage.ego_center + 0.5 * (stage.vehicle.length + size[0]) + gap
    path = path_along(stage.line, np.full(len(stage.line), max(speed, 2.5)))
    stage.add(Actor(AgentType.VEHICLE, size, path, start, speed))


def clear_ahead(stage: Stage, distance: float) -> None:
    """Keep background traffic out of the ego lane for `distance` metres ahead."""
    for s in np.arange(0.0, distance, 6.0):
        stage.keep_clear.append((stage.beside(stage.ego_center + s, 0.0)[:2], 3.2))


def _approach(
    rng: np.random.Generator, difficulty: float, turn: str, time_to_line: float, since_green: float
) -> Stage:
    """The ego on its way to a signalled crossing, `time_to_line` seconds before the stop line."""
    place = places.crossing(rng, turn)
    limit = place.facts["speed_limit"]
    speed = limit * float(rng.uniform(0.75, 0.98))
    first = place.vector_map.lanes[place.route_lanes[0]].centerline
    stop = polyline.arc_length(first)[-1] - STOP_OFFSET
    stage = Stage(place, rng, difficulty, 0.0, speed)
    front = stop - speed * time_to_line
    stage.ego_start = front - 0.5 * stage.vehicle.length - stage.vehicle.rear_axle_to_center
    stage.light_plan = phase_plan("west", since_green)
    return stage


def green_crossing(rng: np.random.Generator, difficulty: float) -> Stage:
    """Crossing on green: straight on, left or right."""
    turn = str(rng.choice(["left", "straight", "right"]))
    stage = _approach(rng, difficulty, turn, float(rng.uniform(2.0, 4.5)), float(rng.uniform(0.5, 3.0)))
    clear_ahead(stage, 35.0)
    return stage


def turn_left(rng: np.random.Generator, difficulty: float) -> Stage:
    """A left turn on green."""
    stage = _approach(rng, difficulty, "left", float(rng.uniform(2.5, 4.0)), 1.0)
    clear_ahead(stage, 40.0)
    return stage


def turn_right(rng: np.random.Generator, difficulty: float) -> Stage:
    """A right turn on green."""
    stage = _approach(rng, difficulty, "right", float(rng.uniform(2.5, 4.0)), 1.0)
    clear_ahead(stage, 40.0)
    return stage


def stop_at_red(rng: np.random.Generator, difficulty: float) -> Stage:
    """A red light to stop at, sometimes behind a queue."""
    turn = str(rng.choice(["left", "straight", "right"]))
    red_for = float(rng.uniform(7.0, 30.0))
    stage = _approach(rng, difficulty, turn, float(rng.uniform(3.5, 6.0)), -red_for)
    if rng.random() < 0.5:
        _queue(stage, 1)
    else:
        clear_ahead(stage, 60.0)
    return stage


def green_start(rng: np.random.Generator, difficulty: float) -> Stage:
    """The ego waits at a red light that turns green soon."""
    turn = str(rng.choice(["left", "straight", "right"]))
    wait = INITIAL_TIME + float(rng.uniform(-0.5, 2.0))
    stage = _approach(rng, difficulty, turn, 0.0, -wait)
    stage.ego_start -= STOP_FRONT
    stage.ego_speed = 0.0
    if rng.random() < 0.4:
        size = stage.random_vehicle_size()
        _queue_at(stage, STOP_FRONT + 0.5 * size[0], size)
        stage.ego_start -= size[0] + float(rng.uniform(2.2, 3.0))
    return stage


def _queue(stage: Stage, count: int) -> None:
    back = STOP_FRONT
    for _ in range(count):
        size = stage.random_vehicle_size()
        _queue_at(stage, back + 0.5 * size[0], size)
        back += size[0] + 2.5


def _queue_at(stage: Stage, distance: float, size: tuple[float, float, float]) -> None:
    """Add a standing vehicle on the ego line, its centre `distance` before the stop line."""
    place = stage.place
    first = place.vector_map.lanes[place.route_lanes[0]].centerline
    s = polyline.arc_length(first)[-1] - STOP_OFFSET - distance
    path = path_along(stage.line, np.full(len(stage.line), place.facts["speed_limit"] * 0.9))
    stage.actors.append(Actor(AgentType.VEHICLE, size, path, s, 0.0))


def merging(rng: np.random.Generator, difficulty: float) -> Stage:
    """Joining from a ramp, or driving past one."""
    place = places.merge(rng)
    stage = cruise(place, rng, difficulty, 0.7)
    first = place.vector_map.lanes[place.route_lanes[0]].centerline
    length = polyline.arc_length(first)[-1]
    stage.ego_start = length - stage.ego_speed * float(rng.uniform(2.5, 5.0)) - 4.0
    return stage


def crosswalk(rng: np.random.Generator, difficulty: float) -> Stage:
    """Someone at a crosswalk: waiting on the kerb, or crossing with time enough for the ego to stop."""
    place = places.straight(rng, lanes=int(rng.integers(1, 3)))
    stage = cruise(place, rng, difficulty, 0.7)
    road, s = place.roads[place.crosswalks[0][0]], place.crosswalks[0][1]
    at = polyline.arc_length(place.roads["road0"].line)[-1] + s
    waits = bool(rng.integers(2))
    time = float(rng.uniform(3.6, 5.5))
    stage.ego_start = at - 4.0 - stage.ego_speed * time
    centre = polyline.sample(road.line, s + rng.uniform(-0.8, 0.8))
    left = np.array([-np.sin(centre[2]), np.cos(centre[2])])
    # Beyond the shoulder on either side; whoever waits stands on the walkway.
    right_side = centre[:2] + (road.edge("right") - SHOULDER - 0.7) * left
    left_side = centre[:2] + (road.edge("left") + SHOULDER + 0.7) * left
    size = SIZES[AgentType.PEDESTRIAN]
    clear_ahead(stage, stage.ego_speed * time + 6.0)
    stage.facts["pedestrian"] = "waits" if waits else "crosses"
    if waits:
        yaw = centre[2] + (0.5 * np.pi)
        stage.actors.append(Actor(AgentType.PEDESTRIAN, size, track=stand(np.append(right_side, yaw))))
        return stage
    path = np.stack([right_side, left_side] if rng.random() < 0.6 else [left_side, right_side])
    stage.actors.append(
        Actor(
            AgentType.PEDESTRIAN,
            size,
            track=walk(path, float(rng.uniform(1.3, 1.8)), float(rng.uniform(0.0, 1.0))),
        )
    )
    return stage


COMMON_EVENTS: dict[str, Callable[[np.random.Generator, float], Stage]] = {
    "free_drive": free_drive,
    "following": following,
    "bend": bend,
    "green_crossing": green_crossing,
    "stop_at_red": stop_at_red,
    "green_start": green_start,
    "turn_left": turn_left,
    "turn_right": turn_right,
    "merging": merging,
    "crosswalk": crosswalk,
}
