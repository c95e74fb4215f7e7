"""Where a driver may drive, and where he should."""

from __future__ import annotations

import numpy as np
import shapely

from simengine.datatypes.map import AreaKind, VectorMap


def drivable_areas(
    vector_map: VectorMap, route: tuple[str, ...]
) -> tuple[shapely.Geometry | None, shapely.Geometry | None]:
    """Return the drivable area and the part of it in the direction of `route`, prepared for queries."""
    junctions = [area.polygon for area in vector_map.areas_of(AreaKind.INTERSECTION, AreaKind.CARPARK)]
    other = [area.polygon for area in vector_map.areas_of(AreaKind.DRIVABLE)]
    blocks = [block.polygon for block in vector_map.roadblocks.values() if not block.is_connector]
    lanes = [] if blocks else [lane.polygon for lane in vector_map.lanes.values()]
    rings = [ring for ring in (*junctions, *other, *blocks, *lanes) if len(ring) >= 3]
    if not rings:
        return None, None
    whole = _union(rings)
    own = [vector_map.roadblocks[name].polygon for name in route if name in vector_map.roadblocks]
    own = [ring for ring in (*own, *junctions) if len(ring) >= 3]
    side = _union(own).buffer(0.3) if own else whole
    for area in (whole, side):
        shapely.prepare(area)
    return whole, side


def _union(rings: list[np.ndarray]) -> shapely.Geometry:
    return shapely.union_all([shapely.make_valid(shapely.Polygon(ring)) for ring in rings])
