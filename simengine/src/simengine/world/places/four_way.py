"""What all crossings of two roads share: four arms, and the ego coming from the west."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.junction import ARM_NAMES, CROSSWALK_OFFSET, STOP_OFFSET, Arm
from simengine.world.places.lines import straight_line, unit
from simengine.world.roads import Road

ARM_LENGTH = 140.0
CROSSWALKS = tuple((name, CROSSWALK_OFFSET) for name in ARM_NAMES)
# Arms run outwards and counter-clockwise; seen from the west, left is north.
TARGETS = {"left": "north", "straight": "east", "right": "south"}


def four_arms(
    builder: MapBuilder,
    heading: float,
    reach: float,
    limit: float,
    lanes: tuple[int, int, int, int],
    stops: tuple[str, str, str, str],
    stop_offset: float = STOP_OFFSET,
) -> list[Arm]:
    """Add four arms and return them, `east` first and counter-clockwise.

    Args:
        builder: to add to.
        heading: from the centre along the east arm [rad].
        reach: from the centre to where the arms begin [m].
        limit: speed limit [m/s].
        lanes: of each arm, in each direction.
        stops: of each arm, see `Arm.stop`.
        stop_offset: see `Arm.stop_offset`; there are crosswalks if it leaves room for them.
    """
    arms = []
    for k, name in enumerate(ARM_NAMES):
        out = heading + 0.5 * np.pi * k
        line = straight_line(reach * unit(out), out, ARM_LENGTH)
        road = builder.add_road(Road(name, line, lanes[k], lanes[k], limit))
        arms.append(Arm(road, True, stops[k], stop_offset))
        if stop_offset > CROSSWALK_OFFSET:
            builder.add_crosswalk(road, CROSSWALK_OFFSET)
    return arms


def route_from_west(start_lane: int, end_lane: int, turn: str) -> tuple[str, str, str]:
    """Return the lanes from the west arm over its connector to where `turn` leads."""
    start, end = f"west_b{start_lane}", f"{TARGETS[turn]}_f{end_lane}"
    return (start, f"{start}__{end}", end)
