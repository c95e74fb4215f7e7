"""A straight road with a crosswalk."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import SPEED_LIMITS, chain, lane_chain, straight_line
from simengine.world.places.place import Place
from simengine.world.roads import Road


def straight(
    rng: np.random.Generator,
    lanes: int | None = None,
    lane: int | None = None,
    limits: tuple[float, ...] = SPEED_LIMITS,
) -> Place:
    """Return a straight road of three blocks with a crosswalk in the second.

    Args:
        rng: source of all choices.
        lanes: in each direction, 1 to 3.
        lane: of the ego, 0 is leftmost and -1 rightmost.
        limits: speed limits to choose from [m/s].
    """
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(1, 4))
    limit = float(rng.choice(limits))
    lengths = (110.0, 40.0 + rng.uniform(0.0, 20.0), 330.0)
    builder, at, lines = MapBuilder(), np.zeros(2), []
    for length in lengths:
        lines.append(straight_line(at, heading, length))
        at = lines[-1][-1]
    roads = chain(builder, lines, Road("road", lines[0], lanes, lanes, limit))
    s = 0.5 * lengths[1]
    builder.add_crosswalk(roads[1], s)
    own = int(rng.integers(lanes)) if lane is None else lane % lanes
    return Place(
        "straight",
        builder.build(),
        builder.roads,
        lane_chain(roads, own),
        float(rng.uniform(45.0, 60.0)),
        ((roads[1].name, s),),
        facts={"lanes": lanes, "speed_limit": limit},
    )
