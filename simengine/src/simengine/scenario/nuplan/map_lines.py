"""Lines of a nuPlan map: paint on both sides of lanes, and the edge of the paved ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from simengine.datatypes.map import AreaKind, LineKind, MapArea, MapLine
from simengine.scenario.nuplan.map_graph import LaneRecord
from simengine.scenario.nuplan.map_view import MapView
from simengine.scenario.nuplan.rings import lines_of

BOUNDARIES = "boundaries"
_PAINT = {0: LineKind.LANE_DIVIDER, 1: LineKind.SOLID, 2: LineKind.SOLID}
_PAVED = (AreaKind.INTERSECTION, AreaKind.CARPARK, AreaKind.GENERIC_DRIVABLE)
_SEAM = 0.2
_RIM = 0.5
_SHORTEST = 1.0


def painted_lines(view: MapView, records: Sequence[LaneRecord]) -> list[MapLine]:
    """Return the borders of lanes, each once: dashed ones as dividers; those of unknown paint are left out."""
    fids = list(dict.fromkeys(fid for record in records for fid in record.borders))
    codes = view.column(BOUNDARIES, "boundary_type_fid", fids)
    kinds = {fid: _PAINT[code] for fid, code in codes.items() if isinstance(code, int) and code in _PAINT}
    shapes = view.features(BOUNDARIES, [fid for fid in fids if fid in kinds])
    return [
        MapLine(f"boundary_{fid}_{part}", kinds[fid], points)
        for fid, shape in shapes.items()
        for part, points in enumerate(lines_of(shape))
        if len(points) >= 2
    ]


def road_edges(blocks: Sequence[np.ndarray], areas: Sequence[MapArea], box: shapely.Polygon) -> list[MapLine]:
    """Return where paved ground ends inside `box`.

    Args:
        blocks: outlines (M, 2) of roadblocks, connectors left out.
        areas: of which junctions, car parks and generic drivable areas are paved.
        box: the window; beyond it the map says nothing.
    """
    rings = [*blocks, *(area.polygon for area in areas if area.kind in _PAVED)]
    shapes = [shapely.make_valid(shapely.Polygon(ring)) for ring in rings if len(ring) >= 3]
    # Roadblocks and junctions that share a border may leave slits of some centimetres.
    union = shapely.union_all(shapes).buffer(_SEAM, join_style="mitre").buffer(-_SEAM, join_style="mitre")
    rim = union.boundary.intersection(box.buffer(-_RIM))
    kept = [points for points in lines_of(rim) if shapely.LineString(points).length >= _SHORTEST]
    return [MapLine(f"edge_{index}", LineKind.ROAD_EDGE, points) for index, points in enumerate(kept)]
