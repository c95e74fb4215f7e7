"""The polygons that say where one may drive, cut from a vector map."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np
import shapely

from simengine.datatypes.map import AreaKind, VectorMap
from simengine.metrics.pdm.polygon_index import BITS, PolygonIndex, build_index


class Layer(str, Enum):
    """Layers of the drivable map."""

    ROADBLOCK = "roadblock"
    LANE = "lane"
    LANE_CONNECTOR = "lane_connector"
    INTERSECTION = "intersection"
    CARPARK = "carpark"
    DRIVABLE = "drivable"


LANE_LAYERS = (Layer.LANE, Layer.LANE_CONNECTOR)
DRIVABLE_LAYERS = (Layer.ROADBLOCK, Layer.INTERSECTION, Layer.CARPARK, Layer.DRIVABLE)


@dataclass(frozen=True)
class DrivableMap:
    """Polygons near the ego, each with its map id and layer.

    Attributes:
        ids: N ids.
        layers: N layers.
        polygons: (N,) shapely polygons in world.
        drivable_layers: layers on which all four corners of the ego may stand.
    """

    ids: tuple[str, ...]
    layers: tuple[Layer, ...]
    polygons: np.ndarray
    drivable_layers: tuple[Layer, ...] = DRIVABLE_LAYERS

    @cached_property
    def index(self) -> PolygonIndex:
        """The polygons as a grid that answers which of them contain a point."""
        return build_index(self.polygons)

    def has(self, *layers: Layer) -> bool:
        """Return whether any polygon is of one of `layers`."""
        return any(layer in layers for layer in self.layers)

    def select(self, *layers: Layer) -> np.ndarray:
        """Return the indices of the polygons of `layers`."""
        return np.array([i for i, layer in enumerate(self.layers) if layer in layers], dtype=int)

    def straddled(self, rule: str) -> np.ndarray:
        """Return the indices of the polygons that an ego should not straddle; see `PdmParameters.areas`."""
        layers = {"navsim": LANE_LAYERS, "connectors_carry": (Layer.LANE,), "every_polygon": tuple(Layer)}
        return self.select(*layers[rule])

    def surface(self, rule: str) -> np.ndarray:
        """Return the indices of the polygons that carry the ego; see `PdmParameters.areas`."""
        more = {"navsim": (), "connectors_carry": (Layer.LANE_CONNECTOR,), "every_polygon": tuple(Layer)}
        return self.select(*self.drivable_layers, *more[rule])

    def contains(self, index: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return whether polygons `index` (K,) strictly contain `points` (..., 2) as bools (K, ...)."""
        found = self.index.containing(points.reshape(-1, 2))
        inside = [(found[:, k // BITS] >> (k % BITS)) & 1 for k in index]
        return np.array(inside, dtype=bool).reshape(len(index), *points.shape[:-1])


def drivable_map(vector_map: VectorMap, center: np.ndarray, radius: float) -> DrivableMap:
    """Return the drivable map in a square around `center` (2,) of half side `radius` [m].

    Roadblock connectors are no polygons of their own: an area between roads is drivable where an
    intersection, car park or drivable-area polygon covers it. Only a map with neither roadblocks nor
    drivable areas falls back to its lane polygons.
    """
    entries = _lane_entries(vector_map) + _area_entries(vector_map)
    polygons = np.array([_polygon(ring) for _, _, ring in entries], dtype=object)
    x, y = float(center[0]), float(center[1])
    window = shapely.box(x - radius, y - radius, x + radius, y + radius)
    keep = shapely.intersects(polygons, window) if len(polygons) else np.zeros(0, bool)
    kept = [entries[i] for i in np.flatnonzero(keep)]
    has_surface = any(layer in (Layer.ROADBLOCK, Layer.DRIVABLE) for _, layer, _ in entries)
    return DrivableMap(
        tuple(name for name, _, _ in kept),
        tuple(layer for _, layer, _ in kept),
        polygons[keep],
        DRIVABLE_LAYERS if has_surface else DRIVABLE_LAYERS + LANE_LAYERS,
    )


def _lane_entries(vector_map: VectorMap) -> list[tuple[str, Layer, np.ndarray]]:
    entries = [
        (block.id, Layer.ROADBLOCK, block.polygon)
        for block in vector_map.roadblocks.values()
        if not block.is_connector and len(block.polygon) >= 3
    ]
    for lane in vector_map.lanes.values():
        if len(lane.polygon) >= 3:
            layer = Layer.LANE_CONNECTOR if lane.is_connector else Layer.LANE
            entries.append((lane.id, layer, lane.polygon))
    return entries


def _area_entries(vector_map: VectorMap) -> list[tuple[str, Layer, np.ndarray]]:
    layers = {
        AreaKind.INTERSECTION: Layer.INTERSECTION,
        AreaKind.CARPARK: Layer.CARPARK,
        AreaKind.DRIVABLE: Layer.DRIVABLE,
    }
    return [
        (area.id, layers[area.kind], area.polygon)
        for kind in layers
        for area in vector_map.areas_of(kind)
        if len(area.polygon) >= 3
    ]


def _polygon(ring: np.ndarray) -> shapely.Geometry:
    polygon = shapely.Polygon(np.asarray(ring, dtype=np.float64)[:, :2])
    # Real maps hold rings that touch or cross themselves; a zero buffer may drop half of such a ring.
    return polygon if polygon.is_valid else shapely.make_valid(polygon)
