"""A narrow street lined with parked cars."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import arc, chain, lane_chain, straight_line
from simengine.world.places.place import Place
from simengine.world.roads import Road


def narrow(rng: np.random.Generator) -> Place:
    """Return a street with one narrow lane each way, hardly bent, and cars parked close on both sides."""
    heading = rng.uniform(-np.pi, np.pi)
    limit = float(rng.choice([8.9, 11.2]))
    width = float(rng.uniform(3.0, 3.25))
    radius, angle = float(rng.uniform(120.0, 250.0)), float(rng.uniform(0.1, 0.3) * rng.choice([-1.0, 1.0]))
    first = straight_line(np.zeros(2), heading, 130.0)
    bend = arc(first[-1], heading, radius, angle)
    last = straight_line(bend[-1], heading + angle, 200.0)
    builder = MapBuilder()
    model = Road("road", first, 1, 1, limit, lane_width=width, shoulder=2.15, parked=0.95)
    roads = chain(builder, [first, bend, last], model)
    return Place(
        "narrow",
        builder.build(),
        builder.roads,
        lane_chain(roads, 0),
        float(rng.uniform(30.0, 50.0)),
        facts={"lanes": 1, "speed_limit": limit, "lane_width": round(width, 2)},
    )
