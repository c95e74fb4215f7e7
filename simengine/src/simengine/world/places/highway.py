"""What highways with ramps share: a carriageway in three sections with an extra lane in the second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry import polyline
from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import arc, straight_line, unit
from simengine.world.roads import LANE_WIDTH, Road

# 50, 55 and 60 mph.
HIGHWAY_LIMITS = (22.4, 24.6, 26.8)
RAMP_LIMIT = 17.9
RAMP_GAP = 50.0
TAPER = 70.0
SHOULDER = 2.8


@dataclass(frozen=True)
class Carriageway:
    """Three sections in a row; the second has one lane more, on the right."""

    before: Road
    beside: Road
    after: Road


def carriageway(
    builder: MapBuilder,
    heading: float,
    lanes: int,
    limit: float,
    lengths: tuple[float, float, float],
    gaps: tuple[float, float],
) -> Carriageway:
    """Add three straight sections with `gaps` [m] between them and return them."""
    at, roads = 0.0, []
    for k, length in enumerate(lengths):
        line = straight_line(at * unit(heading), heading, length)
        model = Road(f"main{k}", line, lanes + (k == 1), 0, limit, shoulder=SHOULDER, walkways=(), parked=0.0)
        roads.append(builder.add_road(model))
        at += length + (gaps[k] if k < 2 else 0.0)
    return Carriageway(*roads)


def through(builder: MapBuilder, first: Road, second: Road, limit: float) -> list[str]:
    """Connect the lanes that both sections have, and return the connectors."""
    pairs = zip(first.lane_ids("f"), second.lane_ids("f"), strict=False)
    return [builder.connect(a, b, limit) for a, b in pairs]


def ramp_line(nose: np.ndarray, heading: float, lanes: int, sign: float, length: float) -> np.ndarray:
    """Return the left edge (N, 2) of a ramp beside a carriageway, in driving direction.

    Args:
        nose: (2,) point on the left edge of the carriageway beside which the ramp begins or ends.
        heading: of the carriageway [rad].
        lanes: of the carriageway.
        sign: 1 for a ramp that ends there, -1 for one that begins there.
        length: of its straight part [m].
    """
    right = np.array([np.sin(heading), -np.cos(heading)])
    end = nose + right * (lanes * LANE_WIDTH + 3.6)
    # Built from the nose outwards, then turned round where traffic comes in.
    out = heading + (np.pi if sign > 0 else 0.0) + sign * 0.06
    bend = arc(end, out, 260.0, sign * 0.16)
    rest = straight_line(bend[-1], out + sign * 0.16, length)
    line = polyline.drop_repeated(np.concatenate([bend, rest]), 0.05)
    return line[::-1] if sign > 0 else line
