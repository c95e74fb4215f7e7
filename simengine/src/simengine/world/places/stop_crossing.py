"""A crossing with stop signs."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.four_way import four_arms, route_from_west
from simengine.world.places.junction import join
from simengine.world.places.place import Place
from simengine.world.roads import LANE_WIDTH

STOP_SIGN_OFFSET = 2.0


def stop_crossing(
    rng: np.random.Generator,
    turn: str = "straight",
    control: str = "two_way",
    limits: tuple[float, ...] = (8.9, 11.2, 13.4),
) -> Place:
    """Return a small crossing where the ego, coming from the west, has a stop sign.

    Args:
        rng: source of all choices.
        turn: the ego goes `left`, `straight` or `right`.
        control: `two_way` where the crossing road has the right of way, or `all_way`.
        limits: speed limits to choose from [m/s].
    """
    heading = rng.uniform(-np.pi, np.pi)
    limit = float(rng.choice(limits))
    major = int(rng.integers(1, 3)) if control == "two_way" else 1
    reach = major * LANE_WIDTH + rng.uniform(6.0, 8.0)
    other = "" if control == "two_way" else "stop_sign"
    stops = ("stop_sign", other, "stop_sign", other)
    builder = MapBuilder()
    arms = four_arms(builder, heading, reach, limit, (1, major, 1, major), stops, STOP_SIGN_OFFSET)
    junction = join(builder, arms, limit)
    return Place(
        "stop_crossing",
        builder.build(),
        builder.roads,
        route_from_west(0, major - 1 if turn == "right" else 0, turn),
        0.0,
        signed=junction.signed,
        stop_offset=STOP_SIGN_OFFSET,
        facts={"lanes": 1, "speed_limit": limit, "turn": turn, "control": control, "crossing_lanes": major},
    )
