"""A town road joined by a ramp."""

from __future__ import annotations

import numpy as np

from simengine.geometry import polyline, se2
from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import arc, straight_line, unit
from simengine.world.places.place import Place
from simengine.world.roads import LANE_WIDTH, Road


def merge(rng: np.random.Generator, ramp: bool | None = None) -> Place:
    """Return a one-way road with an on-ramp joining its right lane; the ego is on the ramp or in that lane."""
    heading = rng.uniform(-np.pi, np.pi)
    frame = np.array([0.0, 0.0, heading])
    lanes, limit = int(rng.integers(1, 3)), float(rng.choice([13.4, 15.6]))
    gap, angle = 60.0, rng.uniform(0.10, 0.16)
    builder = MapBuilder()
    line = straight_line(-140.0 * unit(heading), heading, 140.0)
    before = builder.add_road(Road("main0", line, lanes, 0, limit, walkways=("left",), parked=0.0))
    line = straight_line(gap * unit(heading), heading, 260.0)
    after = builder.add_road(Road("main1", line, lanes, 0, limit, parked=0.0))
    end = se2.points_to_parent(frame, np.array([[2.0, -lanes * LANE_WIDTH - 5.5 + 0.5 * LANE_WIDTH]]))[0]
    bend = arc(end, heading + angle + np.pi, 250.0, 0.12)[::-1]
    entry = straight_line(bend[0], heading + angle + 0.12 + np.pi, 90.0)[::-1]
    line = polyline.drop_repeated(np.concatenate([entry, bend]))
    ramp_road = builder.add_road(Road("ramp", line, 1, 0, limit - 2.2, walkways=("right",), parked=0.0))
    connectors = [
        builder.connect(a, b, limit) for a, b in zip(before.lane_ids("f"), after.lane_ids("f"), strict=True)
    ]
    connectors.append(builder.connect(ramp_road.lane_ids("f")[0], after.lane_ids("f")[-1], limit))
    builder.add_intersection(connectors, 1.0)
    on_ramp = bool(rng.integers(2)) if ramp is None else ramp
    first = "ramp_f0" if on_ramp else f"main0_f{lanes - 1}"
    last = f"main1_f{lanes - 1}"
    return Place(
        "merge",
        builder.build(),
        builder.roads,
        (first, f"{first}__{last}", last),
        float(rng.uniform(50.0, 70.0)),
        facts={"lanes": lanes, "speed_limit": limit, "on_ramp": on_ramp},
    )
