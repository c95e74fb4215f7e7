"""Areas of a vector map as one shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from simengine.datatypes.map import AreaKind, VectorMap


def union(rings: Sequence[np.ndarray]) -> shapely.Geometry:
    """Return the area inside any of the rings (M, 2); those of fewer than three points count for nothing."""
    return shapely.union_all([shapely.Polygon(ring).buffer(0) for ring in rings if len(ring) >= 3])


def drivable_shape(vector_map: VectorMap) -> shapely.Geometry:
    """Return where one may drive: drivable areas, junctions, car parks, roadblocks and lanes."""
    kinds = (AreaKind.DRIVABLE, AreaKind.INTERSECTION, AreaKind.CARPARK)
    rings = [area.polygon for area in vector_map.areas_of(*kinds)]
    rings += [block.polygon for block in vector_map.roadblocks.values()]
    rings += [lane.polygon for lane in vector_map.lanes.values()]
    return union(rings)
