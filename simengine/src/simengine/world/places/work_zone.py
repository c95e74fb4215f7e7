"""A road with one lane closed by cones."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world.map_builder import MapBuilder
from simengine.world.places.lines import SPEED_LIMITS, chain, lane_chain, straight_line
from simengine.world.places.place import Furniture, Place
from simengine.world.roads import Road

CONE = (0.45, 0.45, 0.8)
BARRIER = (1.6, 0.5, 1.0)
TRUCK = (6.8, 2.3, 3.0)
TAPER_CONES = 8


def lane_closure(rng: np.random.Generator, in_closed_lane: bool = False, taper: float | None = None) -> Place:
    """Return a road of two or three lanes each way whose rightmost or leftmost lane is closed ahead.

    Args:
        rng: source of all choices.
        in_closed_lane: whether the ego drives in the lane that ends; else it is in one beside it.
        taper: length over which cones close the lane [m].
    """
    heading = rng.uniform(-np.pi, np.pi)
    lanes = int(rng.integers(2, 4))
    limit = float(rng.choice(SPEED_LIMITS))
    length = float(rng.uniform(60.0, 90.0))
    lines, at = [], np.zeros(2)
    for piece in (130.0, length, 260.0):
        lines.append(straight_line(at, heading, piece))
        at = lines[-1][-1]
    builder = MapBuilder()
    roads = chain(builder, lines, Road("road", lines[0], lanes, lanes, limit, parked=0.0))
    closed = int(rng.choice([0, lanes - 1]))
    beside = closed + (1 if closed == 0 else -1)
    taper = float(rng.uniform(22.0, 34.0)) if taper is None else taper
    furniture = _closure(roads[1], closed, lanes, taper, rng)
    return Place(
        "lane_closure",
        builder.build(),
        builder.roads,
        lane_chain(roads, closed if in_closed_lane else beside),
        float(rng.uniform(50.0, 70.0)),
        furniture=furniture,
        facts={
            "lanes": lanes,
            "speed_limit": limit,
            "closed_lane": closed,
            "taper": round(taper, 1),
            "closed_from": round(130.0 - taper, 1),
        },
    )


def _closure(
    road: Road, closed: int, lanes: int, taper: float, rng: np.random.Generator
) -> tuple[Furniture, ...]:
    """Cones that lead out of the closed lane and along it, a barrier and a work truck behind them."""
    outer = -float(closed) * road.lane_width if closed == 0 else -float(lanes) * road.lane_width
    inner = -float(closed + 1) * road.lane_width if closed == 0 else -float(closed) * road.lane_width
    sign = np.sign(inner - outer)
    made = []

    def put(kind: AgentType, size: tuple[float, float, float], s: float, offset: float, turn: float) -> None:
        pose = polyline.sample(road.line, s)
        left = np.array([-np.sin(pose[2]), np.cos(pose[2])])
        made.append(Furniture(kind, size, np.append(pose[:2] + offset * left, pose[2] + turn)))

    for k in range(TAPER_CONES):
        share = k / (TAPER_CONES - 1)
        offset = outer + sign * 0.4 + share * (inner - outer - sign * 0.8)
        put(AgentType.TRAFFIC_CONE, CONE, -taper * (1.0 - share), offset, float(rng.uniform(-0.3, 0.3)))
    for s in np.arange(9.0, road.length, 9.0):
        put(AgentType.TRAFFIC_CONE, CONE, float(s), inner - sign * 0.35, float(rng.uniform(-0.3, 0.3)))
    middle = 0.5 * (outer + inner) - 0.25 * sign
    put(AgentType.BARRIER, BARRIER, 6.0, middle, 0.5 * np.pi)
    put(AgentType.VEHICLE, TRUCK, float(rng.uniform(18.0, 30.0)), middle, 0.0)
    return tuple(made)
