"""Everyday company for any event: moving traffic, parked cars, people on the walkways, cyclists."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.datatypes.lights import LightState
from simengine.geometry import polyline
from simengine.world.places import STOP_OFFSET
from simengine.world.roads import WALKWAY, Road
from simengine.world.stage import SIZES, Actor, Stage
from simengine.world.tracks import stand, walk

GENTLE_BRAKING = 1.5
# From this share of taken places on a road always has parked cars.
ALWAYS_PARKED = 0.9


def add_extras(stage: Stage, density: float) -> None:
    """Fill the place around the ego; `density` 0 is empty, 1 busy."""
    parking = stage.rng.random() < 0.7
    for road in stage.place.roads.values():
        if parking or road.parked > ALWAYS_PARKED:
            _park(stage, road, max(density, 0.7) if road.parked > ALWAYS_PARKED else density)
        _people(stage, road, density)
    _traffic(stage, density)
    if not parking and stage.rng.random() < 0.5:
        _cyclist(stage)


def _traffic(stage: Stage, density: float) -> None:
    """Moving vehicles on all lanes, with gaps that fit their speed."""
    rng = stage.rng
    quiet = stage.quiet | set(stage.place.signed)
    lanes = [lane for lane in stage.place.vector_map.lanes.values() if not lane.is_connector]
    for lane in lanes:
        if lane.id in quiet:
            continue
        length = float(polyline.arc_length(lane.centerline)[-1])
        spacing = 1.7 * lane.speed_limit + 14.0
        s = float(rng.uniform(4.0, spacing))
        while s < length - 2.0:
            pose = polyline.sample(lane.centerline, s)
            near = np.hypot(*(pose[:2] - stage.beside(stage.ego_start, 0.0)[:2])) < _sight(lane.speed_limit)
            speed = lane.speed_limit * float(rng.uniform(0.75, 0.95))
            speed = min(speed, _stoppable(stage, lane.id, length - s))
            if near and rng.random() < 0.75 * density and speed > 0.0:
                stage.add_driver(lane.id, s, speed, gap=7.0)
            s += spacing * float(rng.uniform(0.8, 1.8))


def _sight(limit: float) -> float:
    """How far away traffic still matters where `limit` [m/s] is allowed [m]."""
    return 110.0 if limit < 17.0 else 170.0


def _stoppable(stage: Stage, lane_id: str, to_end: float) -> float:
    """Speed from which a vehicle `to_end` metres before the end of its lane can stop if its light is closed."""
    approach = stage.place.approach_of.get(lane_id)
    if approach is None or stage.light_plan is None or stage.light_plan(approach, 0.0) == LightState.GREEN:
        return np.inf
    return float(np.sqrt(2.0 * GENTLE_BRAKING * max(to_end - STOP_OFFSET - 5.0, 0.0)))


def _kerb(road: Road, side: str) -> tuple[np.ndarray, float]:
    """Line of parked cars along a road, and the yaw to add so that they face the traffic there."""
    line = road.offset(road.kerb(side, 0.1 - 0.5 * road.shoulder))
    return line, np.pi if side == "left" and road.backward else 0.0


def _park(stage: Stage, road: Road, density: float) -> None:
    rng = stage.rng
    if not road.parked:
        return
    busy = [s for name, s in stage.place.crosswalks if name == road.name]
    for side in ("left", "right"):
        line, turn = _kerb(road, side)
        length = polyline.arc_length(line)[-1]
        s = float(rng.uniform(14.0, 30.0))
        while s < length - 12.0:
            pose = polyline.sample(line, s)
            size = stage.random_vehicle_size()
            size = (min(size[0], 5.2), min(size[1], 1.95), size[2])
            pose[2] += turn + float(rng.normal(0.0, 0.01))
            near = np.hypot(*(pose[:2] - stage.beside(stage.ego_start + 40.0, 0.0)[:2])) < 90.0
            if near and rng.random() < road.parked * density and all(abs(s - at) > 9.0 for at in busy):
                stage.add(Actor(AgentType.VEHICLE, size, track=stand(pose)))
            s += float(rng.uniform(6.5, 12.0))


def _people(stage: Stage, road: Road, density: float) -> None:
    rng = stage.rng
    for side in ("left", "right"):
        if side not in road.walkways:
            continue
        for _ in range(rng.poisson(1.6 * density)):
            line = road.offset(road.kerb(side, 0.5 + float(rng.uniform(0.2, WALKWAY - 0.8))))
            s = float(rng.uniform(0.0, polyline.arc_length(line)[-1]))
            pose = polyline.sample(line, s)
            if np.hypot(*(pose[:2] - stage.beside(stage.ego_start + 35.0, 0.0)[:2])) > 70.0:
                continue
            ahead = polyline.sample(line, s + np.array([0.0, 20.0]) * rng.choice([-1.0, 1.0]))[:, :2]
            stage.add(
                Actor(
                    AgentType.PEDESTRIAN,
                    SIZES[AgentType.PEDESTRIAN],
                    track=walk(ahead, float(rng.uniform(1.0, 1.7)), -0.5),
                )
            )


def _cyclist(stage: Stage) -> None:
    """Someone riding on the shoulder to the right of the ego's road."""
    if stage.place.family not in {"straight", "curve"}:
        return
    rng = stage.rng
    roads = list(stage.place.roads.values())
    line = polyline.drop_repeated(
        np.concatenate([road.offset(road.edge("right") - 1.1) for road in roads]), 0.05
    )
    s = stage.ego_start + float(rng.uniform(12.0, 45.0))
    points = polyline.sample(line, s + np.arange(0.0, 80.0, 1.0))[:, :2]
    stage.add(
        Actor(
            AgentType.CYCLIST,
            SIZES[AgentType.CYCLIST],
            track=walk(points, float(rng.uniform(3.5, 5.5)), -0.5),
        )
    )
