"""Lanes, connectors and roadblocks of a nuPlan map and how they hang together; no geometry.

The tables are small next to the geometries, so they are read once, whole. In nuPlan a lane is left by lane
connectors (their `exit_lane_fid`) and entered by others (their `entry_lane_fid`); a lane group is a roadblock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.scenario.nuplan.geopackage import GeoPackage, Layer

LANES, CONNECTORS = "lanes_polygons", "lane_connectors"
BLOCKS, BLOCK_CONNECTORS = "lane_groups_polygons", "lane_group_connectors"
BASELINES, CONNECTOR_POLYGONS = "baseline_paths", "gen_lane_connectors_scaled_width_polygons"
_CONNECTOR_PREFIX = "connector_"


@dataclass(frozen=True)
class LaneRecord:
    """A lane or a lane connector.

    Attributes:
        id: name in the native map.
        block_id: its roadblock or roadblock connector; "" if it has none.
        is_connector: whether it lies in a junction.
        successors: ids of lanes that continue it.
        predecessors: ids of lanes that it continues.
        left: ids of the lane to the left, at most one.
        right: ids of the lane to the right, at most one.
        speed_limit: [m/s], NaN if unknown.
        baseline: feature of its centre line, None if the map has none.
        polygon: feature of its polygon, None if the map has none.
        borders: features of the painted lines on both sides.
        stops: features of the stop polygons of its traffic light.
    """

    id: str
    block_id: str
    is_connector: bool
    successors: tuple[str, ...]
    predecessors: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]
    speed_limit: float
    baseline: int | None
    polygon: int | None
    borders: tuple[int, ...] = ()
    stops: tuple[int, ...] = ()


@dataclass(frozen=True)
class BlockRecord:
    """A roadblock or roadblock connector: feature `fid` of its layer, lanes from left to right."""

    id: str
    fid: int
    is_connector: bool
    lane_ids: tuple[str, ...]


@dataclass(frozen=True)
class MapGraph:
    """All lanes and blocks of a map.

    Attributes:
        lanes: by id.
        blocks: by id.
        connector_ids: lane connector feature -> lane id; lights are keyed by these features.
        repairs: what was wrong with the map -> ids of the lanes or blocks concerned.
    """

    lanes: dict[str, LaneRecord]
    blocks: dict[str, BlockRecord]
    connector_ids: dict[int, str]
    repairs: dict[str, frozenset[str]] = field(default_factory=dict)


def read_graph(package: GeoPackage) -> MapGraph:
    """Return the lane graph of a map.

    Of features that claim the same lane the first counts. A connector whose id is also that of a lane is renamed
    `connector_<id>`; the same goes for roadblock connectors. Both are rare and listed in `repairs`.

    Raises:
        ScenarioFormatError: a layer is missing or the file is damaged.
    """
    return _GraphReader(package).read()


class _GraphReader:
    """Holds the tables while the graph is made."""

    def __init__(self, package: GeoPackage) -> None:
        self._package = package
        self._repairs: dict[str, set[str]] = defaultdict(set)

    def read(self) -> MapGraph:
        lanes = self._lane_rows()
        connectors = self._layer(CONNECTORS).attributes(
            [
                "exit_lane_fid",
                "entry_lane_fid",
                "lane_group_connector_fid",
                "speed_limit_mps",
                "traffic_light_stop_line_fids",
            ]
        )
        names = self._names(connectors, {int(name) for name in lanes}, "id_of_lane_and_connector")
        blocks = self._layer(BLOCKS).attributes([])
        block_connectors = self._layer(BLOCK_CONNECTORS).attributes([])
        block_names = self._names(block_connectors, set(blocks), "id_of_both_roadblock_kinds")
        made = self._lanes(lanes, connectors, names) | self._connectors(lanes, connectors, names, block_names)
        members: dict[str, list[str]] = defaultdict(list)
        for lane in made.values():
            members[lane.block_id].append(lane.id)
        records = [BlockRecord(str(fid), fid, False, tuple(members[str(fid)])) for fid in blocks]
        records += [BlockRecord(name, fid, True, tuple(members[name])) for fid, name in block_names.items()]
        repairs = {reason: frozenset(ids) for reason, ids in self._repairs.items()}
        return MapGraph(made, {record.id: record for record in records}, names, repairs)

    def _layer(self, name: str) -> Layer:
        layer = self._package.layer(name)
        if layer is None:
            raise ScenarioFormatError(
                f"{self._package.database.path}: has no layer {name}, expected the layers of a nuPlan map: download "
                "it again"
            )
        return layer

    def _lane_rows(self) -> dict[str, tuple]:
        """Return lane id -> (feature, group, index, speed limit, left border, right border), left to right."""
        rows = self._layer(LANES).attributes(
            [
                "lane_fid",
                "lane_group_fid",
                "lane_index",
                "speed_limit_mps",
                "left_boundary_fid",
                "right_boundary_fid",
            ]
        )
        lanes: dict[str, tuple] = {}
        for fid, (lane_fid, *rest) in sorted(rows.items(), key=lambda row: (_number(row[1][2]), row[0])):
            name = str(_integer(lane_fid) if _integer(lane_fid) is not None else fid)
            if name in lanes:
                self._repairs["duplicate_lane"].add(name)
            else:
                lanes[name] = (fid, *rest)
        return lanes

    def _names(self, features: Mapping[int, tuple], taken: set[int], reason: str) -> dict[int, str]:
        clashing = taken & set(features)
        names = {fid: f"{_CONNECTOR_PREFIX}{fid}" if fid in clashing else str(fid) for fid in features}
        if clashing:
            self._repairs[reason] |= {names[fid] for fid in clashing}
        return names

    def _lanes(self, lanes: Mapping, connectors: Mapping, names: Mapping) -> dict[str, LaneRecord]:
        baselines = self._owners(BASELINES, "lane_fid", str)
        after, before = defaultdict(list), defaultdict(list)
        for fid, (leaves, enters, *_) in connectors.items():
            after[str(_integer(leaves))].append(names[fid])
            before[str(_integer(enters))].append(names[fid])
        beside = {(_integer(row[1]), _integer(row[2])): name for name, row in reversed(lanes.items())}
        made = {}
        for name, (fid, *place, limit, left_border, right_border) in lanes.items():
            group, index = (_integer(value) for value in place)
            borders = (_integer(left_border), _integer(right_border))
            sides = [beside.get((group, index + step)) if index is not None else None for step in (-1, 1)]
            made[name] = LaneRecord(
                name,
                "" if group is None else str(group),
                False,
                tuple(after[name]),
                tuple(before[name]),
                *(() if side is None else (side,) for side in sides),
                _speed(limit),
                baselines.get(name),
                fid,
                tuple(border for border in borders if border is not None),
            )
        return made

    def _connectors(
        self, lanes: Mapping, connectors: Mapping, names: Mapping, block_names: Mapping
    ) -> dict[str, LaneRecord]:
        to_name = lambda fid: names.get(fid, str(fid))  # noqa: E731
        baselines = self._owners(BASELINES, "lane_connector_fid", to_name)
        polygons = self._owners(CONNECTOR_POLYGONS, "lane_connector_fid", to_name)
        made = {}
        for fid, (leaves, enters, block, limit, stops) in connectors.items():
            ends = [str(_integer(lane)) for lane in (enters, leaves)]
            if any(end not in lanes for end in ends):
                self._repairs["link_to_missing_lane"].add(names[fid])
            made[names[fid]] = LaneRecord(
                names[fid],
                "" if _integer(block) is None else block_names.get(_integer(block), str(_integer(block))),
                True,
                *((end,) if end in lanes else () for end in ends),
                (),
                (),
                _speed(limit),
                baselines.get(names[fid]),
                polygons.get(names[fid]),
                stops=_integers(stops),
            )
        return made

    def _owners(self, layer_name: str, column: str, to_name: object) -> dict[str, int]:
        """Return lane id -> feature of a layer that says to which lane each of its features belongs."""
        layer = self._package.layer(layer_name)
        owners: dict[str, int] = {}
        for fid, (owner,) in (layer.attributes([column]) if layer else {}).items():
            if _integer(owner) is None:
                continue
            name = to_name(_integer(owner))
            if name in owners:
                self._repairs[f"duplicate_in_{layer_name}"].add(name)
            owners.setdefault(name, fid)
        return owners


def _integer(value: object) -> int | None:
    """Return an id stored as integer, float or text, None for missing ones."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None


def _integers(text: object) -> tuple[int, ...]:
    """Return the ids in a list such as "12, 13"."""
    found = (_integer(part) for part in str(text or "").split(","))
    return tuple(number for number in found if number is not None)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _speed(value: object) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else float(np.nan)
