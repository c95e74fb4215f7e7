"""A roundabout with one lane."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.map import AreaKind, LineKind
from simengine.geometry import polyline
from simengine.world.map_builder import MapBuilder
from simengine.world.places.junction import CROSSWALK_OFFSET
from simengine.world.places.lines import arc, straight_line, unit
from simengine.world.places.place import Place
from simengine.world.roads import LANE_WIDTH, Road

RING_WIDTH = 5.0
RING_LIMIT = 7.0
ARM_LENGTH = 120.0
ISLAND_MARGIN = 1.5
# Half the angle between where an arm leaves the ring and where it joins it [rad].
OPENING = 0.52


def roundabout(rng: np.random.Generator, exits: int | None = None) -> Place:
    """Return a roundabout of three or four arms; the ego comes in on `arm0` and leaves at the exit `exits` further.

    Traffic in the ring goes counter-clockwise and has the right of way.
    """
    count = int(rng.integers(3, 5))
    spread = 2.0 * np.pi / count
    angles = rng.uniform(-np.pi, np.pi) + spread * np.arange(count) + rng.uniform(-0.1, 0.1, count)
    radius = float(rng.uniform(16.0, 21.0))
    limit = float(rng.choice([8.9, 11.2, 13.4]))
    leave = int(rng.integers(1, count)) if exits is None else min(exits, count - 1)
    builder = MapBuilder()
    arms = [_arm(builder, k, angle, radius, limit) for k, angle in enumerate(angles)]
    ring = [_segment(builder, k, angles, radius) for k in range(count)]
    give_way = tuple(_connect(builder, k, arms, ring, radius) for k in range(count))
    _island(builder, radius - 0.5 * RING_WIDTH)
    return Place(
        "roundabout",
        builder.build(),
        builder.roads,
        _route(leave),
        0.0,
        tuple((arm.name, CROSSWALK_OFFSET) for arm in arms),
        signed=give_way,
        facts={"lanes": 1, "speed_limit": limit, "radius": round(radius, 1), "arms": count, "exit": leave},
    )


def _arm(builder: MapBuilder, k: int, angle: float, radius: float, limit: float) -> Road:
    """An arm that begins where an arc of equal curvature leads from its lanes into the ring."""
    to_side = radius * np.sin(OPENING) - 0.5 * LANE_WIDTH
    reach = radius * np.cos(OPENING) + to_side / np.tan(0.25 * np.pi - 0.5 * OPENING)
    line = straight_line(reach * unit(angle), angle, ARM_LENGTH)
    road = builder.add_road(Road(f"arm{k}", line, 1, 1, limit))
    builder.add_crosswalk(road, CROSSWALK_OFFSET)
    return road


def _segment(builder: MapBuilder, k: int, angles: np.ndarray, radius: float) -> Road:
    """The part of the ring between the entry of arm `k` and the exit of the next one."""
    start = angles[k] + OPENING
    following = angles[(k + 1) % len(angles)] + (2.0 * np.pi if k + 1 == len(angles) else 0.0)
    turn = following - OPENING - start
    inner = radius - 0.5 * RING_WIDTH
    line = arc(inner * unit(start), start + 0.5 * np.pi, inner, turn)
    ends = (start + 0.5 * np.pi, start + turn + 0.5 * np.pi)
    return builder.add_road(
        Road(f"ring{k}", line, 1, 0, RING_LIMIT, ends, RING_WIDTH, shoulder=0.3, walkways=(), parked=0.0)
    )


def _connect(builder: MapBuilder, k: int, arms: list[Road], ring: list[Road], radius: float) -> str:
    """Connect arm `k` with the ring; return the lane that has to give way."""
    before, after = ring[k - 1].lane_ids("f")[0], ring[k].lane_ids("f")[0]
    inbound, outbound = arms[k].lane_ids("b")[0], arms[k].lane_ids("f")[0]
    start = builder.lane_line(before)[-1]
    heading = float(np.arctan2(start[1], start[0])) + 0.5 * np.pi
    through = builder.connect(before, after, RING_LIMIT, arc(start, heading, radius, 2.0 * OPENING))
    entry = builder.connect(inbound, after, RING_LIMIT)
    leaving = builder.connect(before, outbound, RING_LIMIT)
    builder.add_intersection([through, entry, leaving], 1.2)
    line = builder.lane_line(entry)
    outside = np.hypot(*line.T) > radius + 0.5 * RING_WIDTH + 1.0
    builder.add_stop_line(entry, float(polyline.arc_length(line)[outside][-1]), "yield")
    return inbound


def _island(builder: MapBuilder, radius: float) -> None:
    """The edge of the island, and pavement on it, so that nobody builds a house there."""
    start = np.array([radius, 0.0])
    builder.add_line(LineKind.SOLID, arc(start, 0.5 * np.pi, radius, 2.0 * np.pi))
    kerb = radius - ISLAND_MARGIN
    builder.add_area(AreaKind.WALKWAY, arc(np.array([kerb, 0.0]), 0.5 * np.pi, kerb, 2.0 * np.pi)[:-1])


def _route(leave: int) -> tuple[str, ...]:
    lanes = ["arm0_b0", "arm0_b0__ring0_f0", "ring0_f0"]
    for k in range(1, leave):
        lanes += [f"ring{k - 1}_f0__ring{k}_f0", f"ring{k}_f0"]
    return (*lanes, f"ring{leave - 1}_f0__arm{leave}_f0", f"arm{leave}_f0")
