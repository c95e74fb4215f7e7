"""What several events share: the ego on its way, someone in front of it, room kept free."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.drive import Foresight, foresee
from simengine.world.light_plans import LightPlan, one_by_one
from simengine.world.places import Place
from simengine.world.roads import Road
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES, path_along, script

STOP_FRONT = 1.2


def cruise(place: Place, rng: np.random.Generator, low: float = 0.75) -> Stage:
    """Return a stage with the ego already driving at between `low` and 1 of the speed limit."""
    return Stage(place, rng, place.start, place.facts["speed_limit"] * float(rng.uniform(low, 0.98)))


def clear_ahead(stage: Stage, distance: float) -> None:
    """Keep background traffic out of the ego lane for `distance` metres ahead."""
    for s in np.arange(0.0, distance, 6.0):
        stage.keep_clear.append((stage.beside(stage.ego_center + s, 0.0)[:2], 3.2))


def clear_along(stage: Stage, line: np.ndarray, low: float, high: float, radius: float = 4.0) -> None:
    """Keep background traffic off `line` (N, 2) between two arc lengths [m]."""
    for point in polyline.sample(line, np.arange(low, high, 4.0))[:, :2]:
        stage.keep_clear.append((point, radius))


def add_leader(stage: Stage, speed: float, headway: float) -> None:
    """Add a vehicle on the ego line that wants `speed` [m/s], `headway` seconds ahead."""
    size = stage.random_vehicle_size()
    gap = 2.5 + headway * stage.ego_speed
    start = stage.ego_center + 0.5 * (stage.vehicle.length + size[0]) + gap
    path = path_along(stage.line, np.full(len(stage.line), max(speed, 2.5)))
    stage.add(Actor(AgentType.VEHICLE, size, path, start, speed))


def approach(rng: np.random.Generator, turn: str, time_to_line: float, since_green: float) -> Stage:
    """Return the ego on its way to a signalled crossing, `time_to_line` seconds before the stop line."""
    place = places.crossing(rng, turn)
    limit = place.facts["speed_limit"]
    return before_line(
        place, rng, limit * float(rng.uniform(0.75, 0.98)), time_to_line, one_by_one("west", since_green)
    )


def before_line(
    place: Place, rng: np.random.Generator, speed: float, time_to_line: float, plan: LightPlan | None = None
) -> Stage:
    """Return the ego at `speed` [m/s], `time_to_line` seconds before the stop line of its first lane."""
    stage = Stage(place, rng, 0.0, speed)
    front = stop_line(place) - speed * time_to_line
    stage.ego_start = front - 0.5 * stage.vehicle.length - stage.vehicle.rear_axle_to_center
    stage.light_plan = plan
    return stage


def stop_line(place: Place) -> float:
    """Return the arc length of the stop line at the end of the ego's first lane [m]."""
    first = place.vector_map.lanes[place.route_lanes[0]].centerline
    return float(polyline.arc_length(first)[-1]) - place.stop_offset


def wait_in_line(stage: Stage, distance: float, size: tuple[float, float, float]) -> None:
    """Add a standing vehicle on the ego line, its centre `distance` before the stop line."""
    path = path_along(stage.line, np.full(len(stage.line), stage.place.facts["speed_limit"] * 0.9))
    s = stop_line(stage.place) - distance
    stage.actors.append(Actor(AgentType.VEHICLE, size, path, s, 0.0))


def crossing_point(line_a: np.ndarray, line_b: np.ndarray) -> tuple[float, float]:
    """Return the arc lengths [m] at which two lines (N, 2) come closest."""
    a, b = polyline.resample(line_a, 0.5), polyline.resample(line_b, 0.5)
    distance = np.linalg.norm(a[:, None] - b[None], axis=2)
    i, j = np.unravel_index(int(np.argmin(distance)), distance.shape)
    return float(polyline.arc_length(a)[i]), float(polyline.arc_length(b)[j])


def joining_point(line_a: np.ndarray, line_b: np.ndarray, apart: float = 2.0) -> tuple[float, float]:
    """Return the arc lengths [m] at which line `a` first comes within `apart` metres of line `b`."""
    a = polyline.resample(line_a, 0.5)
    s, offset = polyline.project(line_b, a)
    inside = (np.abs(offset) < apart) & (s > 0.0)
    first = int(np.argmax(inside))
    return float(polyline.arc_length(a)[first]), float(s[first])


def aim(stage: Stage, s: float, meet: float) -> Foresight:
    """Move the ego's start so that it is at arc length `s` [m] of its line at `meet` [s], and return what it will do.

    The ego slows down for bends and stop lines before the first decision, so this takes a few trials.
    """
    for _ in range(5):
        ahead = foresee(stage)
        late = ahead.time_at(s) - meet
        if abs(late) < 0.05:
            break
        stage.ego_start = max(stage.ego_start + 0.8 * late * max(ahead.speed, 1.0), 1.0)
    return foresee(stage)


def add_stream(
    stage: Stage, line: np.ndarray, start: float, speed: float, behind: tuple[float, ...], hidden: float
) -> None:
    """Add a vehicle that keeps `speed` [m/s] along `line` (N, 2) whatever happens, and others that follow it.

    Args:
        stage: to add to.
        line: where they drive.
        start: arc length of the first at frame 0 [m].
        speed: of all of them.
        behind: distances of the others from the first [m].
        hidden: time before which the expert does not notice them [s].
    """
    start = max(start, 0.5)
    first = script(path_along(line, 40.0), start, np.full(len(TIMES), speed))
    size = stage.random_vehicle_size(trucks=False)
    stage.actors.append(Actor(AgentType.VEHICLE, size, track=first, hidden_until=hidden, unnoticed=True))
    path = path_along(line, speed)
    for distance in behind:
        size = stage.random_vehicle_size(trucks=False)
        if start - distance > 0.5:
            follower = Actor(AgentType.VEHICLE, size, path, start - distance, speed)
            stage.actors.append(replace(follower, hidden_until=hidden, unnoticed=True))


def front_at(stage: Stage, ahead: Foresight, s: float) -> float:
    """Return when the front bumper of the ego is at arc length `s` [m] of its line [s].

    Whoever is to be hit has to be there by then: being run into from the side is not the ego's fault.
    """
    return ahead.time_at(s - 0.5 * stage.vehicle.length)


def own_road(stage: Stage) -> Road:
    """Return the road on which the ego starts."""
    return stage.place.roads[stage.place.route_lanes[0].rsplit("_", 1)[0]]
