"""The map families: a straight road, a bend, a signalled crossing and an on-ramp."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.map import VectorMap
from simengine.geometry import polyline, se2
from simengine.geometry.angles import wrap
from simengine.world.roads import LANE_WIDTH, MapBuilder, Road

ARM_NAMES = ("east", "north", "west", "south")
# 20, 25, 30 and 35 mph.
SPEED_LIMITS = (8.9, 11.2, 13.4, 15.6)
CROSSWALK_OFFSET = 3.0
STOP_OFFSET = 6.0


@dataclass(frozen=True)
class Place:
    """A map with what the generator needs to know about it.

    Attributes:
        family: name of the map family.
        vector_map: the map.
        roads: by name.
        route_lanes: lanes the ego follows, in order.
        start: arc length at which the ego may start on the first of them [m].
        crosswalks: (road name, arc length on its line) of each crosswalk.
        controlled: arm name -> ids of the connectors its light controls, with stop points.
        facts: choices made, for the tags.
    """

    family: str
    vector_map: VectorMap
    roads: dict[str, Road]
    route_lanes: tuple[str, ...]
    start: float
    crosswalks: tuple[tuple[str, float], ...] = ()
    controlled: dict[str, tuple[tuple[str, np.ndarray], ...]] = field(default_factory=dict)
    facts: dict = field(default_factory=dict)

    @property
    def route(self) -> tuple[str, ...]:
        """Roadblock ids of the route."""
        return tuple(self.vector_map.lanes[lane].roadblock_id for lane in self.route_lanes)

    @property
    def ego_line(self) -> np.ndarray:
        """Centre line (N, 2) of the whole route."""
        lines = [self.vector_map.lanes[lane].centerline for lane in self.route_lanes]
        return polyline.drop_repeated(np.concatenate(lines), 0.05)


def _straight(start: np.ndarray, heading: float, length: float) -> np.ndarray:
    s = np.linspace(0.0, length, max(int(length / 2.0), 2) + 1)
    return start + s[:, None] * np.array([np.cos(heading), np.sin(heading)])


def _arc(start: np.ndarray, heading: float, radius: float, angle: float) -> np.ndarray:
    """A left turn for positive `angle`, a right turn for negative."""
    count = max(int(radius * abs(angle)), 8)
    turned = np.linspace(0.0, angle, count + 1)
    sign = np.sign(angle)
    centre = start + sign * radius * np.array([-np.sin(heading), np.cos(heading)])
    return centre + sign * radius * np.column_stack([np.sin(heading + turned), -np.cos(heading + turned)])


def _chain(
    builder: MapBuilder, lines: list[np.ndarray], forward: int, backward: int, limit: float
) -> list[Road]:
    joints = [polyline.headings(lines[0])[0]]
    for first, second in itertools.pairwise(lines):
        before, after = polyline.headings(first)[-1], polyline.headings(second)[0]
        joints.append(before + 0.5 * float(wrap(after - before)))
    joints.append(polyline.headings(lines[-1])[-1])
    roads = [
        builder.add_road(Road(f"road{k}", line, forward, backward, limit, (joints[k], joints[k + 1])))
        for k, line in enumerate(lines)
    ]
    for first, second in itertools.pairwise(roads):
        builder.link_roads(first, second)
    return roads


def _lane_chain(roads: list[Road], lane: int) -> tuple[str, ...]:
    return tuple(f"{road.name}_f{lane}" for road in roads)


def straight(
    rng: np.random.Generator,
    lanes: int | None = None,
    lane: int | None = None,
    limits: tuple[float, ...] = SPEED_LIMITS,
) -> Place:
    """Return a straight road of three blocks with a crosswalk in the second."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(1, 4))
    limit = float(rng.choice(limits))
    lengths = (110.0, 40.0 + rng.uniform(0.0, 20.0), 330.0)
    builder, at, lines = MapBuilder(), np.zeros(2), []
    for length in lengths:
        lines.append(_straight(at, heading, length))
        at = lines[-1][-1]
    roads = _chain(builder, lines, lanes, lanes, limit)
    s = 0.5 * lengths[1]
    builder.add_crosswalk(roads[1], s)
    own = int(rng.integers(lanes)) if lane is None else lane % lanes
    facts = {"lanes": lanes, "speed_limit": limit}
    return Place(
        "straight",
        builder.build(),
        builder.roads,
        _lane_chain(roads, own),
        float(rng.uniform(45.0, 60.0)),
        ((roads[1].name, s),),
        facts=facts,
    )


def curve(rng: np.random.Generator, lanes: int | None = None, lane: int | None = None) -> Place:
    """Return a road with one bend, left or right."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(1, 3))
    radius, angle = float(rng.uniform(28.0, 80.0)), float(rng.uniform(0.8, 1.7) * rng.choice([-1.0, 1.0]))
    limit = float(rng.choice([11.2, 13.4]))
    builder = MapBuilder()
    first = _straight(np.zeros(2), heading, 100.0)
    bend = _arc(first[-1], heading, radius, angle)
    last = _straight(bend[-1], heading + angle, 260.0)
    roads = _chain(builder, [first, bend, last], lanes, lanes, limit)
    own = int(rng.integers(lanes)) if lane is None else lane % lanes
    facts = {"lanes": lanes, "speed_limit": limit, "radius": round(radius, 1), "angle": round(angle, 2)}
    return Place(
        "curve",
        builder.build(),
        builder.roads,
        _lane_chain(roads, own),
        float(rng.uniform(45.0, 62.0)),
        facts=facts,
    )


def crossing(rng: np.random.Generator, turn: str = "straight", lanes: int | None = None) -> Place:
    """Return a signalled four-way crossing; the ego comes from the west and goes `left`, `straight` or `right`."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(1, 3))
    limit = float(rng.choice([8.9, 11.2, 13.4]))
    reach = lanes * LANE_WIDTH + rng.uniform(9.0, 13.0)
    builder = MapBuilder()
    arms = []
    for k, name in enumerate(ARM_NAMES):
        out = heading + 0.5 * np.pi * k
        start = reach * np.array([np.cos(out), np.sin(out)])
        arms.append(builder.add_road(Road(name, _straight(start, out, 140.0), lanes, lanes, limit)))
        builder.add_crosswalk(arms[-1], CROSSWALK_OFFSET)
    connectors, controlled = [], {}
    for k, arm in enumerate(arms):
        stops = [
            builder.add_stop_line(lane, polyline.arc_length(arm.line)[-1] - STOP_OFFSET)
            for lane in arm.lane_ids("b")
        ]
        made = []
        for direction, other in (("right", 1), ("straight", 2), ("left", 3)):
            target = arms[(k + other) % 4]
            pairs = {"right": [lanes - 1], "straight": range(lanes), "left": [0]}[direction]
            speed = limit if direction == "straight" else min(limit, 6.7)
            for lane in pairs:
                name = builder.connect(arm.lane_ids("b")[lane], target.lane_ids("f")[lane], speed)
                made.append((name, stops[lane]))
        controlled[arm.name] = tuple(made)
        connectors += [name for name, _ in made]
    builder.add_intersection(connectors, 1.5)
    return _crossing_place(rng, builder, controlled, turn, lanes, limit)


def _crossing_place(
    rng: np.random.Generator, builder: MapBuilder, controlled: dict, turn: str, lanes: int, limit: float
) -> Place:
    lane = {"left": 0, "right": lanes - 1, "straight": int(rng.integers(lanes))}[turn]
    # Arms run outwards and counter-clockwise; seen from the west, left is north.
    target = {"left": "north", "straight": "east", "right": "south"}[turn]
    start, end = f"west_b{lane}", f"{target}_f{lane}"
    return Place(
        "crossing",
        builder.build(),
        builder.roads,
        (start, f"{start}__{end}", end),
        0.0,
        tuple((name, CROSSWALK_OFFSET) for name in ARM_NAMES),
        controlled,
        {"lanes": lanes, "speed_limit": limit, "turn": turn},
    )


def merge(rng: np.random.Generator, ramp: bool | None = None) -> Place:
    """Return a road with an on-ramp joining its right lane; the ego is on the ramp or in that lane."""
    heading = rng.uniform(-np.pi, np.pi)
    frame = np.array([0.0, 0.0, heading])
    lanes, limit = int(rng.integers(1, 3)), float(rng.choice([13.4, 15.6]))
    gap, angle = 60.0, rng.uniform(0.10, 0.16)
    builder = MapBuilder()
    before = builder.add_road(
        Road(
            "main0", _straight(np.array([0.0, 0.0]) - 140.0 * _unit(heading), heading, 140.0), lanes, 0, limit
        ),
        ("left",),
    )
    after = builder.add_road(Road("main1", _straight(gap * _unit(heading), heading, 260.0), lanes, 0, limit))
    end = se2.points_to_parent(frame, np.array([[2.0, -lanes * LANE_WIDTH - 5.5 + 0.5 * LANE_WIDTH]]))[0]
    bend = _arc(end, heading + angle + np.pi, 250.0, 0.12)[::-1]
    entry = _straight(bend[0], heading + angle + 0.12 + np.pi, 90.0)[::-1]
    ramp_road = builder.add_road(
        Road("ramp", polyline.drop_repeated(np.concatenate([entry, bend])), 1, 0, limit - 2.2), ("right",)
    )
    connectors = [
        builder.connect(a, b, limit) for a, b in zip(before.lane_ids("f"), after.lane_ids("f"), strict=True)
    ]
    connectors.append(builder.connect(ramp_road.lane_ids("f")[0], after.lane_ids("f")[-1], limit))
    builder.add_intersection(connectors, 1.0)
    on_ramp = bool(rng.integers(2)) if ramp is None else ramp
    first = "ramp_f0" if on_ramp else f"main0_f{lanes - 1}"
    last = f"main1_f{lanes - 1}"
    facts = {"lanes": lanes, "speed_limit": limit, "on_ramp": on_ramp}
    return Place(
        "merge",
        builder.build(),
        builder.roads,
        (first, f"{first}__{last}", last),
        float(rng.uniform(50.0, 70.0)),
        facts=facts,
    )


def _unit(heading: float) -> np.ndarray:
    return np.array([np.cos(heading), np.sin(heading)])


FAMILIES: dict[str, Callable[..., Place]] = {
    "straight": straight,
    "curve": curve,
    "crossing": crossing,
    "merge": merge,
}
