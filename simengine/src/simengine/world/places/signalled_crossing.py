"""A crossing with a light for each arm."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.four_way import CROSSWALKS, four_arms, route_from_west
from simengine.world.places.junction import ARM_NAMES, join
from simengine.world.places.place import Place
from simengine.world.roads import LANE_WIDTH


def crossing(rng: np.random.Generator, turn: str = "straight", lanes: int | None = None) -> Place:
    """Return a signalled four-way crossing; the ego comes from the west and goes `left`, `straight` or `right`."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(1, 3))
    limit = float(rng.choice([8.9, 11.2, 13.4]))
    reach = lanes * LANE_WIDTH + rng.uniform(9.0, 13.0)
    builder = MapBuilder()
    stops = ("stop_line",) * 4
    junction = join(builder, four_arms(builder, heading, reach, limit, (lanes,) * 4, stops), limit)
    lane = {"left": 0, "right": lanes - 1, "straight": int(rng.integers(lanes))}[turn]
    return Place(
        "crossing",
        builder.build(),
        builder.roads,
        route_from_west(lane, lane, turn),
        0.0,
        CROSSWALKS,
        dict(zip(ARM_NAMES, junction.entries, strict=True)),
        facts={"lanes": lanes, "speed_limit": limit, "turn": turn},
    )
