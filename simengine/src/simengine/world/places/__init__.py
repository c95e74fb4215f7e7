"""The map families, one per file; `FAMILIES` lists them."""

from __future__ import annotations

from collections.abc import Callable

from simengine.world.places.crossing_grid import grid
from simengine.world.places.curved_arterial import arterial
from simengine.world.places.curved_road import curve
from simengine.world.places.highway_exit import highway_exit
from simengine.world.places.highway_merge import highway_merge
from simengine.world.places.junction import ARM_NAMES, CROSSWALK_OFFSET, STOP_OFFSET
from simengine.world.places.narrow_street import narrow
from simengine.world.places.on_ramp import merge
from simengine.world.places.place import Furniture, Place
from simengine.world.places.ring import roundabout
from simengine.world.places.signalled_crossing import crossing
from simengine.world.places.stop_crossing import stop_crossing
from simengine.world.places.straight_road import straight
from simengine.world.places.work_zone import lane_closure

__all__ = [
    "ARM_NAMES",
    "CROSSWALK_OFFSET",
    "FAMILIES",
    "STOP_OFFSET",
    "Furniture",
    "Place",
    "arterial",
    "crossing",
    "curve",
    "grid",
    "highway_exit",
    "highway_merge",
    "lane_closure",
    "merge",
    "narrow",
    "roundabout",
    "stop_crossing",
    "straight",
]

FAMILIES: dict[str, Callable[..., Place]] = {
    "straight": straight,
    "curve": curve,
    "arterial": arterial,
    "narrow": narrow,
    "lane_closure": lane_closure,
    "crossing": crossing,
    "stop_crossing": stop_crossing,
    "grid": grid,
    "roundabout": roundabout,
    "merge": merge,
    "highway_merge": highway_merge,
    "highway_exit": highway_exit,
}
