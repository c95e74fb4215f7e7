"""Areas of a nuPlan map: junctions, crossings, pavements, car parks, stop polygons, other paved ground."""

from __future__ import annotations

import shapely

from simengine.datatypes.map import AreaKind, MapArea
from simengine.scenario.nuplan.map_view import MapView
from simengine.scenario.nuplan.rings import outlines

STOPS = "stop_polygons"
_LAYERS = {
    "intersections": ("intersection", AreaKind.INTERSECTION),
    "crosswalks": ("crosswalk", AreaKind.CROSSWALK),
    "walkways": ("walkway", AreaKind.WALKWAY),
    "carpark_areas": ("carpark", AreaKind.CARPARK),
    "generic_drivable_areas": ("generic_drivable", AreaKind.GENERIC_DRIVABLE),
}
_STOP_KINDS = ("ped_crossing", "stop_sign", "traffic_light", "turn_stop", "yield")


def read_areas(view: MapView) -> list[MapArea]:
    """Return the areas that meet the window, whole; their ids are `<kind>_<fid>`.

    Generic drivable areas are no drivable areas to the scores, as in NAVSIM.
    """
    areas = []
    for layer, (name, kind) in _LAYERS.items():
        for fid, shape in view.meeting(layer).items():
            areas += _areas(f"{name}_{fid}", kind, shape)
    stops = view.meeting(STOPS)
    kinds = view.column(STOPS, "stop_polygon_type_fid", stops)
    for fid, shape in stops.items():
        areas += _areas(f"stop_{_stop_kind(kinds.get(fid))}_{fid}", AreaKind.STOP_LINE, shape)
    return areas


def _areas(name: str, kind: AreaKind, shape: shapely.Geometry) -> list[MapArea]:
    rings = outlines(shape)
    if len(rings) == 1:
        return [MapArea(name, kind, rings[0])]
    return [MapArea(f"{name}_{part}", kind, ring) for part, ring in enumerate(rings)]


def _stop_kind(code: object) -> str:
    return _STOP_KINDS[code] if isinstance(code, int) and 0 <= code < len(_STOP_KINDS) else "unknown"
