"""A window on the layers of a map: geometries in metres from the origin of a scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely

from simengine.scenario.nuplan.geopackage import GeoPackage, Layer
from simengine.scenario.nuplan.projection import Bounds, Projection


@dataclass(frozen=True)
class MapView:
    """A window on a map.

    Attributes:
        package: the map.
        projection: its datum.
        bounds: the window (x min, y min, x max, y max) [m in the datum].
        origin: (2,) of the world frame in the datum [m].
    """

    package: GeoPackage
    projection: Projection
    bounds: Bounds
    origin: np.ndarray

    @property
    def box(self) -> shapely.Polygon:
        """The window in the world frame."""
        x, y = self.origin.tolist()
        west, south, east, north = self.bounds
        return shapely.box(west - x, south - y, east - x, north - y)

    def meeting(self, name: str) -> dict[int, shapely.Geometry]:
        """Return fid -> geometry of the features of layer `name` that meet the window; none without the layer."""
        layer = self.package.layer(name)
        if layer is None:
            return {}
        near = layer.within(self.projection.to_layer(self.bounds, layer.srs_id))
        shapes = self._shapes(layer, near)
        meets = shapely.intersects(np.array(list(shapes.values()), dtype=object), self.box)
        return {fid: shape for (fid, shape), kept in zip(shapes.items(), meets, strict=True) if kept}

    def features(self, name: str, fids: Iterable[int | None]) -> dict[int, shapely.Geometry]:
        """Return fid -> geometry of the features `fids` of layer `name`, wherever they lie."""
        layer = self.package.layer(name)
        return self._shapes(layer, [fid for fid in fids if fid is not None]) if layer else {}

    def column(self, name: str, column: str, fids: Iterable[int]) -> dict[int, object]:
        """Return fid -> value of one column of layer `name`."""
        layer = self.package.layer(name)
        return {fid: value for fid, (value,) in (layer.attributes([column], fids) if layer else {}).items()}

    def _shapes(self, layer: Layer, fids: Iterable[int]) -> dict[int, shapely.Geometry]:
        to_datum = self.projection.from_layer(layer.srs_id)
        return layer.geometries(fids, lambda points: to_datum(points) - self.origin)
