"""A wide, winding main road."""

from __future__ import annotations

import numpy as np

from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import arc, chain, lane_chain, straight_line
from simengine.world.places.place import Place
from simengine.world.roads import Road


def arterial(rng: np.random.Generator, lanes: int | None = None, lane: int | None = None) -> Place:
    """Return a fast road that bends one way and then the other; arguments as for `straight`."""
    heading = rng.uniform(-np.pi, np.pi)
    lanes = lanes or int(rng.integers(2, 4))
    # 35, 40 and 45 mph.
    limit = float(rng.choice([15.6, 17.9, 20.1]))
    side = float(rng.choice([-1.0, 1.0]))
    first = straight_line(np.zeros(2), heading, 90.0)
    lines, radii = [first], []
    for sign in (side, -side):
        # Wide enough to be driven at about the limit.
        radius = float(rng.uniform(0.4, 0.9) * limit**2)
        angle = sign * float(rng.uniform(70.0, 110.0)) / radius
        lines.append(arc(lines[-1][-1], heading, radius, angle))
        heading += angle
        radii.append(round(radius, 1))
    lines.append(straight_line(lines[-1][-1], heading, 260.0))
    builder = MapBuilder()
    roads = chain(builder, lines, Road("road", first, lanes, lanes, limit, parked=0.0))
    own = int(rng.integers(lanes)) if lane is None else lane % lanes
    return Place(
        "arterial",
        builder.build(),
        builder.roads,
        lane_chain(roads, own),
        float(rng.uniform(30.0, 45.0)),
        facts={"lanes": lanes, "speed_limit": limit, "radii": radii},
    )
