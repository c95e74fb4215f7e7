"""From the coordinates of a map layer to metres of the map datum, in which logs and scenarios are given.

nuPlan stores layers in longitude and latitude (EPSG:4326) and names the UTM zone of the city in the table
`meta`; ego poses are in that zone. Other systems need pyproj (`pip install simengine[nuplan]`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.geopackage import WGS84, GeoPackage
from simengine.scenario.nuplan.utm import Utm

Bounds = tuple[float, float, float, float]
_META_KEY = "projectedCoordSystem"
_KNOWN_ZONES = {
    "sg-one-north": 32648,
    "us-ma-boston": 32619,
    "us-nv-las-vegas-strip": 32611,
    "us-pa-pittsburgh-hazelwood": 32617,
}
_EDGE_SAMPLES = 9
_PAD = 1e-6


@dataclass(frozen=True)
class Projection:
    """The datum of a map, as an EPSG code in metres."""

    epsg: int

    @classmethod
    def of_map(cls, package: GeoPackage, map_name: str) -> Projection:
        """Return the datum that a map states in its table `meta`, else that of the known city `map_name`.

        Raises:
            ScenarioFormatError: it states none and the city is unknown.
        """
        stated = package.metadata().get(_META_KEY, "")
        match = re.search(r"(\d{4,6})\s*\)?\s*$", stated)
        if match:
            return cls(int(match[1]))
        if map_name in _KNOWN_ZONES:
            return cls(_KNOWN_ZONES[map_name])
        raise ScenarioFormatError(
            f"{package.database.path}: the table meta states {_META_KEY} {stated!r}, expected an EPSG code such as "
            f"epsg:32611, and {map_name!r} is no known city: add the row to the map"
        )

    def from_layer(self, srs_id: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return the function from coordinates (N, 2) of a layer to metres (N, 2) of the datum."""
        zone = Utm.from_epsg(self.epsg)
        if srs_id == self.epsg:
            return lambda points: points
        if srs_id == WGS84 and zone is not None:
            return zone.forward
        return _pyproj(srs_id, self.epsg)

    def to_layer(self, bounds: Bounds, srs_id: int) -> Bounds:
        """Return bounds in layer coordinates that hold all of `bounds`, given in metres of the datum."""
        zone = Utm.from_epsg(self.epsg)
        if srs_id == self.epsg:
            return bounds
        inverse = zone.inverse if srs_id == WGS84 and zone is not None else _pyproj(self.epsg, srs_id)
        west, south, east, north = bounds
        part = np.linspace(0.0, 1.0, _EDGE_SAMPLES)
        x, y = west + part * (east - west), south + part * (north - south)
        rim = [np.stack([x, np.full_like(x, at)], axis=1) for at in (south, north)]
        rim += [np.stack([np.full_like(y, at), y], axis=1) for at in (west, east)]
        points = inverse(np.concatenate(rim))
        # The rim bends between samples, by far less than this share of its length.
        pad = 0.01 * (points.max(axis=0) - points.min(axis=0)) + _PAD
        return (*(points.min(axis=0) - pad).tolist(), *(points.max(axis=0) + pad).tolist())


def _pyproj(source: int, target: int) -> Callable[[np.ndarray], np.ndarray]:
    try:
        from pyproj import Transformer
    except ImportError:
        raise ScenarioFormatError(
            f"the map mixes coordinate systems EPSG:{source} and EPSG:{target}, expected EPSG:{WGS84} and a UTM zone: "
            "install pyproj (`pip install simengine[nuplan]`) to read it"
        ) from None
    transformer = Transformer.from_crs(source, target, always_xy=True)
    return lambda points: np.stack(transformer.transform(points[:, 0], points[:, 1]), axis=1)
