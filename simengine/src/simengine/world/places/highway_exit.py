"""A highway with a deceleration lane and an off-ramp."""

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


def highway_exit(rng: np.random.Generator, leave: bool = True) -> Place:
    """Return a highway with an exit that the ego takes, or passes in the right lane if it does not `leave`."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes, limit = int(rng.integers(2, 4)), float(rng.choice(HIGHWAY_LIMITS))
    length = float(rng.uniform(110.0, 170.0))
    builder = MapBuilder()
    main = carriageway(builder, heading, lanes, limit, (260.0, length, 420.0), (TAPER, RAMP_GAP))
    line = ramp_line(main.after.line[0], heading, lanes, -1.0, 220.0)
    builder.add_road(Road("ramp", line, 1, 0, RAMP_LIMIT, shoulder=SHOULDER, walkways=(), parked=0.0))
    right, extra = f"main0_f{lanes - 1}", f"main1_f{lanes}"
    taper = [*through(builder, main.before, main.beside, limit), builder.connect(right, extra, limit)]
    builder.add_intersection(taper, 0.8)
    nose = [
        *through(builder, main.beside, main.after, limit)[:lanes],
        builder.connect(extra, "ramp_f0", RAMP_LIMIT),
    ]
    builder.add_intersection(nose, 0.8)
    middle, last = (extra, "ramp_f0") if leave else (f"main1_f{lanes - 1}", f"main2_f{lanes - 1}")
    return Place(
        "highway_exit",
        builder.build(),
        builder.roads,
        (right, f"{right}__{middle}", middle, f"{middle}__{last}", last),
        float(rng.uniform(80.0, 140.0)),
        facts={"lanes": lanes, "speed_limit": limit, "leaves": leave, "deceleration_lane": round(length, 1)},
    )
