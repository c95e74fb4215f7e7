"""A road with one bend."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import arc, chain, lane_chain, straight_line
from simengine.world.places.place import Place
from simengine.world.roads import Road


def curve(
    rng: np.random.Generator, lanes: int | None = None, lane: int | None = None, tightest: float = 28.0
) -> Place:
    """Return a road with one bend, left or right, of at least the radius `tightest` [m]; else as `straight`."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(1, 3))
    radius, angle = float(rng.uniform(tightest, 80.0)), float(rng.uniform(0.8, 1.7) * rng.choice([-1.0, 1.0]))
    limit = float(rng.choice([11.2, 13.4]))
    builder = MapBuilder()
    first = straight_line(np.zeros(2), heading, 100.0)
    bend = arc(first[-1], heading, radius, angle)
    last = straight_line(bend[-1], heading + angle, 260.0)
    roads = chain(builder, [first, bend, last], Road("road", first, lanes, lanes, limit))
    own = int(rng.integers(lanes)) if lane is None else lane % lanes
    return Place(
        "curve",
        builder.build(),
        builder.roads,
        lane_chain(roads, own),
        float(rng.uniform(45.0, 62.0)),
        facts={"lanes": lanes, "speed_limit": limit, "radius": round(radius, 1), "angle": round(angle, 2)},
    )
