"""A hand-made road for the map half of the perception stage.

A road along +x with two lanes of 4 m, its divider on y = 0, painted edges on its borders, a crosswalk over it at
x = 20 ... 23, and a car park to the left of it at x = 30 ... 40, at whose mouth there is no paint.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.map import AreaKind, LineKind, MapArea, MapLine, Roadblock, VectorMap


def rectangle(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Return the ring (4, 2) of a rectangle along the axes."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def along_x(y: float, start: float = -100.0, end: float = 100.0) -> np.ndarray:
    """Return a line (2, 2) along the road."""
    return np.array([[start, y], [end, y]])


def make_marked_road() -> VectorMap:
    """Return the map."""
    return VectorMap(
        roadblocks={"road": Roadblock("road", rectangle(-100.0, -4.0, 100.0, 4.0), ())},
        areas=(
            MapArea("crossing", AreaKind.CROSSWALK, rectangle(20.0, -4.0, 23.0, 4.0)),
            MapArea("carpark", AreaKind.CARPARK, rectangle(30.0, 3.9, 40.0, 12.0)),
        ),
        lines=(
            MapLine("middle", LineKind.LANE_DIVIDER, along_x(0.0)),
            MapLine("left", LineKind.SOLID, along_x(3.8, end=30.0)),
            MapLine("left_again", LineKind.SOLID, along_x(3.8, start=40.0)),
            MapLine("right", LineKind.SOLID, along_x(-3.8)),
            MapLine("kerb", LineKind.ROAD_EDGE, along_x(1.0)),
        ),
    )
