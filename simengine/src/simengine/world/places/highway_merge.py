"""A highway with an on-ramp and an acceleration lane."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.highway import (
    HIGHWAY_LIMITS,
    RAMP_GAP,
    RAMP_LIMIT,
    SHOULDER,
    TAPER,
    carriageway,
    ramp_line,
    through,
)
from simengine.world.places.place import Place
from simengine.world.roads import Road


def highway_merge(
    rng: np.random.Generator, ramp: bool = True, acceleration_lane: float | None = None
) -> Place:
    """Return a highway joined by a ramp.

    Args:
        rng: source of all choices.
        ramp: whether the ego comes in on the ramp; else it is in the right lane of the highway.
        acceleration_lane: its length [m].
    """
    heading = rng.uniform(-np.pi, np.pi)
    lanes, limit = int(rng.integers(2, 4)), float(rng.choice(HIGHWAY_LIMITS))
    length = float(rng.uniform(90.0, 160.0)) if acceleration_lane is None else acceleration_lane
    builder = MapBuilder()
    main = carriageway(builder, heading, lanes, limit, (260.0, length, 420.0), (RAMP_GAP, TAPER))
    line = ramp_line(main.before.line[-1], heading, lanes, 1.0, 150.0)
    builder.add_road(Road("ramp", line, 1, 0, RAMP_LIMIT, shoulder=SHOULDER, walkways=(), parked=0.0))
    extra = f"main1_f{lanes}"
    nose = [*through(builder, main.before, main.beside, limit), builder.connect("ramp_f0", extra, limit)]
    builder.add_intersection(nose, 0.8)
    last = f"main2_f{lanes - 1}"
    taper = [*through(builder, main.beside, main.after, limit)[:lanes], builder.connect(extra, last, limit)]
    builder.add_intersection(taper, 0.8)
    right = f"main0_f{lanes - 1}", f"main1_f{lanes - 1}"
    first, middle = ("ramp_f0", extra) if ramp else right
    return Place(
        "highway_merge",
        builder.build(),
        builder.roads,
        (first, f"{first}__{middle}", middle, f"{middle}__{last}", last),
        float(rng.uniform(60.0, 90.0)),
        facts={
            "lanes": lanes,
            "speed_limit": limit,
            "on_ramp": ramp,
            "acceleration_lane": round(length, 1),
        },
    )
