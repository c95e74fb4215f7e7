"""Layers of a GeoPackage: which features lie in a window, their attributes and geometries.

The file is SQLite; geometries are WKB behind a small header (OGC 12-128r18, clause 2.1.3). Windows are found
by the R-tree of a layer where there is one, otherwise by the envelopes in the headers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.database import Database

WGS84 = 4326
_KIND = "GeoPackage map"
_ENVELOPE_VALUES = (0, 4, 6, 6, 8)
_HEADER_SIZE = 8


class GeoPackage:
    """A GeoPackage file opened for reading."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            ScenarioFormatError: it is missing, damaged or no GeoPackage.
        """
        self.database = Database(path, _KIND)
        if not {"gpkg_contents", "gpkg_geometry_columns"} <= self.database.tables:
            raise ScenarioFormatError(
                f"{path}: no GeoPackage (it lacks gpkg_contents or gpkg_geometry_columns), expected a nuPlan "
                "map.gpkg: check the path"
            )
        self._layers: dict[str, Layer] = {}

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def metadata(self) -> dict[str, str]:
        """Return the key-value pairs of the `meta` table, none without such a table."""
        if "meta" not in self.database.tables:
            return {}
        return {str(key): str(value) for key, value in self.database.rows("SELECT key, value FROM meta")}

    def layer(self, name: str) -> Layer | None:
        """Return the layer `name`, None if the file has none."""
        if name not in self._layers:
            found = self.database.rows(
                "SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE table_name = ?", [name]
            )
            if not found or name not in self.database.tables:
                return None
            self._layers[name] = Layer(self.database, name, *found[0])
        return self._layers[name]


class Layer:
    """One feature table. Feature ids are SQLite row ids, what nuPlan calls `fid`."""

    def __init__(self, database: Database, name: str, geometry_column: str, srs_id: int) -> None:
        self.name, self.srs_id = name, int(srs_id)
        self._database, self._geometry = database, geometry_column
        self._columns = database.columns(name)

    def attributes(self, names: Sequence[str], fids: Iterable[int] | None = None) -> dict[int, tuple]:
        """Return fid -> values of the columns `names`, in order of the fids; missing columns read as None.

        Args:
            names: columns wanted.
            fids: features wanted, all by default.
        """
        listed = ["rowid", *(f'"{name}"' if name in self._columns else "NULL" for name in names)]
        query = f'SELECT {", ".join(listed)} FROM "{self.name}"'
        if fids is None:
            rows = self._database.rows(query + " ORDER BY rowid")
        else:
            found = self._database.rows_for(query + " WHERE rowid IN ({keys})", fids)
            rows = sorted(found, key=lambda row: row[0])
        return {int(fid): tuple(values) for fid, *values in rows}

    def within(self, window: tuple[float, float, float, float]) -> list[int]:
        """Return the fids of features whose envelope meets (x min, y min, x max, y max), in layer coordinates."""
        index = f"rtree_{self.name}_{self._geometry}"
        if index in self._database.tables:
            west, south, east, north = window
            query = f'SELECT id FROM "{index}" WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ? ORDER BY id'
            return [int(fid) for (fid,) in self._database.rows(query, (west, east, south, north))]
        fids, boxes = self._envelopes
        meets = (boxes[:, 2] >= window[0]) & (boxes[:, 0] <= window[2])
        meets &= (boxes[:, 3] >= window[1]) & (boxes[:, 1] <= window[3])
        return fids[meets].tolist()

    def geometries(
        self, fids: Iterable[int], project: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> dict[int, shapely.Geometry]:
        """Return fid -> plane geometry in order of `fids`; empty and missing ones are left out.

        Args:
            fids: features wanted.
            project: takes coordinates (N, 2) of the layer elsewhere.
        """
        wanted = list(dict.fromkeys(fids))
        query = f'SELECT rowid, "{self._geometry}" FROM "{self.name}" WHERE rowid IN ({{keys}})'
        stored = {int(fid): blob for fid, blob in self._database.rows_for(query, wanted) if blob is not None}
        kept = [fid for fid in wanted if fid in stored and not self._is_empty(fid, stored[fid])]
        shapes = self._parse(kept, [stored[fid][_body(stored[fid]) :] for fid in kept])
        shapes = shapely.force_2d(shapes)
        return dict(zip(kept, shapely.transform(shapes, project) if project else shapes, strict=True))

    @cached_property
    def _envelopes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return fids (N,) and their (x min, y min, x max, y max) (N, 4)."""
        rows = self._database.rows(f'SELECT rowid, "{self._geometry}" FROM "{self.name}" ORDER BY rowid')
        fids, boxes = [], []
        for fid, blob in rows:
            if blob is None or self._is_empty(fid, blob):
                continue
            values = _envelope(blob)
            if values is None:
                west, south, east, north = shapely.bounds(self._parse([fid], [blob[_body(blob) :]])[0])
            else:
                west, east, south, north = values
            fids.append(int(fid))
            boxes.append((west, south, east, north))
        return np.array(fids, np.int64), np.array(boxes, np.float64).reshape(-1, 4)

    def _is_empty(self, fid: int, blob: bytes) -> bool:
        if not isinstance(blob, bytes) or blob[:2] != b"GP" or len(blob) < _HEADER_SIZE:
            raise self._malformed(fid, "no GeoPackage header")
        if _envelope_code(blob) >= len(_ENVELOPE_VALUES):
            raise self._malformed(fid, f"envelope of kind {_envelope_code(blob)}")
        return bool(blob[3] & 0x10)

    def _parse(self, fids: list[int], bodies: list[bytes]) -> np.ndarray:
        try:
            return np.array(shapely.from_wkb(np.array(bodies, dtype=object)), dtype=object)
        except shapely.errors.GEOSException as error:
            for fid, body in zip(fids, bodies, strict=True):
                if shapely.from_wkb(body, on_invalid="ignore") is None:
                    raise self._malformed(fid, str(error)) from None
            raise self._malformed(fids[0], str(error)) from None

    def _malformed(self, fid: int, what: str) -> ScenarioFormatError:
        return ScenarioFormatError(
            f"{self._database.path}: feature {fid} of layer {self.name} has a malformed geometry ({what}), expected "
            "WKB behind a GeoPackage header: download the map again"
        )


def _envelope_code(blob: bytes) -> int:
    return (blob[3] >> 1) & 0x07


def _body(blob: bytes) -> int:
    """Return where the WKB of a geometry blob starts."""
    return _HEADER_SIZE + 8 * _ENVELOPE_VALUES[_envelope_code(blob)]


def _envelope(blob: bytes) -> tuple[float, float, float, float] | None:
    """Return x min, x max, y min, y max from the header of a geometry blob, None if it states none."""
    if _envelope_code(blob) == 0 or len(blob) < _body(blob):
        return None
    return struct.unpack_from("<4d" if blob[3] & 0x01 else ">4d", blob, _HEADER_SIZE)
