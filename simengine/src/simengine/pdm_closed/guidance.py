"""Where to drive: the corrected route, its centre line, its speed limit and its red lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from simengine.pdm_closed.centerline import route_line, starting_lane
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.route_correction import correct_route


@dataclass(frozen=True)
class Guidance:
    """Where to drive.

    Attributes:
        route_lanes: ids of the lanes of the corrected route.
        centerline: (N, 3) x, y [m], heading [rad] from the starting lane to the end of the route.
        speed_limit: of the starting lane [m/s], NaN if unknown.
        red_lights: surfaces of the lanes of the route that show red.
    """

    route_lanes: tuple[str, ...]
    centerline: np.ndarray
    speed_limit: float
    red_lights: tuple[shapely.Geometry, ...]


def find_guidance(given: PdmClosedInput) -> Guidance:
    """Return where to drive from where the ego is."""
    blocks = correct_route(given.roads, given.route, given.ego[:3])
    lanes = given.roads.lanes_of(blocks)
    start = starting_lane(lanes, given.ego[:3], given.vehicle)
    return Guidance(
        tuple(lanes),
        route_line(given.roads, blocks, lanes, start),
        start.speed_limit,
        tuple(lanes[i].polygon for i in given.red_lanes if i in lanes),
    )
