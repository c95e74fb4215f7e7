"""Map files: one vector map per file, named by the hash of its content, shared by scenarios."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from simengine.datatypes.map import AreaKind, Lane, LineKind, MapArea, MapLine, Roadblock, VectorMap
from simengine.errors import ScenarioFormatError
from simengine.files.arrays import encode_header, pack_ragged, read_arrays, unpack_ragged, write_arrays

MAP_FORMAT = "simengine-map"
MAP_VERSION = 1
MAP_FOLDER = "maps"


def save_map(vector_map: VectorMap, folder: Path, compress: bool = True) -> str:
    """Write `vector_map` below `folder` unless it is there, and return its key (32 hex digits)."""
    header, arrays = _encode(vector_map)
    digest = hashlib.sha256(encode_header(header).tobytes())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    key = digest.hexdigest()[:32]
    path = Path(folder) / f"{key}.npz"
    if not path.exists():
        write_arrays(path, {**header, "key": key}, arrays, compress)
    return key


def load_map(folder: Path, key: str) -> VectorMap:
    """Return the map with `key` below `folder`.

    Raises:
        ScenarioFormatError: the file is missing, corrupt, or not the map of that key.
    """
    path = Path(folder) / f"{key}.npz"
    header, arrays = read_arrays(path, MAP_FORMAT, MAP_VERSION)
    if header.get("key") != key:
        raise ScenarioFormatError(
            f"{path}: holds map {header.get('key')!r}, expected {key!r}: the file was renamed, convert again"
        )
    try:
        return _decode(header, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ScenarioFormatError(
            f"{path}: a field is missing or malformed ({error}), expected a complete map: convert it again"
        ) from None


def _encode(vector_map: VectorMap) -> tuple[dict, dict[str, np.ndarray]]:
    lanes = list(vector_map.lanes.values())
    roadblocks = list(vector_map.roadblocks.values())
    header = {
        "format": MAP_FORMAT,
        "version": MAP_VERSION,
        "lanes": [
            [
                x.id,
                x.roadblock_id,
                x.is_connector,
                *map(list, (x.successors, x.predecessors, x.left, x.right)),
            ]
            for x in lanes
        ],
        "roadblocks": [[x.id, list(x.lane_ids), x.is_connector] for x in roadblocks],
        "areas": [[x.id, x.kind.value] for x in vector_map.areas],
        "lines": [[x.id, x.kind.value] for x in vector_map.lines],
    }
    arrays = {"lanes.speed_limit": np.array([x.speed_limit for x in lanes], np.float64)}
    ragged = {
        "lanes.centerline": [x.centerline for x in lanes],
        "lanes.polygon": [x.polygon for x in lanes],
        "roadblocks.polygon": [x.polygon for x in roadblocks],
        "areas.polygon": [x.polygon for x in vector_map.areas],
        "lines.points": [x.points for x in vector_map.lines],
    }
    for name, parts in ragged.items():
        arrays[name], arrays[f"{name}.offsets"] = pack_ragged(parts)
    return header, arrays


def _decode(header: dict, arrays: dict[str, np.ndarray]) -> VectorMap:
    def ragged(name: str) -> list[np.ndarray]:
        return unpack_ragged(arrays[name], arrays[f"{name}.offsets"])

    lanes = {}
    columns = (
        header["lanes"],
        ragged("lanes.centerline"),
        ragged("lanes.polygon"),
        arrays["lanes.speed_limit"],
    )
    for row, centerline, polygon, limit in zip(*columns, strict=True):
        lane_id, roadblock_id, connector, successors, predecessors, left, right = row
        links = (tuple(successors), tuple(predecessors), tuple(left), tuple(right))
        lanes[lane_id] = Lane(lane_id, centerline, polygon, roadblock_id, connector, *links, float(limit))
    roadblocks = {
        row[0]: Roadblock(row[0], polygon, tuple(row[1]), row[2])
        for row, polygon in zip(header["roadblocks"], ragged("roadblocks.polygon"), strict=True)
    }
    areas = zip(header["areas"], ragged("areas.polygon"), strict=True)
    lines = zip(header["lines"], ragged("lines.points"), strict=True)
    return VectorMap(
        lanes,
        roadblocks,
        tuple(MapArea(row[0], AreaKind(row[1]), polygon) for row, polygon in areas),
        tuple(MapLine(row[0], LineKind(row[1]), points) for row, points in lines),
    )
