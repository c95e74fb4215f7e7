"""The vector map around a scenario: lanes, roadblocks and areas in the world frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np


@dataclass(frozen=True)
class Lane:
    """A lane, or a lane connector inside a junction.

    Attributes:
        id: unique among lanes.
        centerline: (N, 2) in driving direction [m].
        polygon: (M, 2) ring, not closed [m]; empty (0, 2) if the source has none.
        roadblock_id: parallel lanes of one road share it; "" if the source has none.
        is_connector: whether it lies in a junction.
        successors: ids of lanes that continue this one.
        predecessors: ids of lanes that this one continues.
        left: ids of the lanes to the left with the same direction.
        right: ids of the lanes to the right with the same direction.
        speed_limit: [m/s], NaN if unknown.
    """

    id: str
    centerline: np.ndarray
    polygon: np.ndarray
    roadblock_id: str = ""
    is_connector: bool = False
    successors: tuple[str, ...] = ()
    predecessors: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    speed_limit: float = float("nan")


@dataclass(frozen=True)
class Roadblock:
    """All parallel lanes of one direction of a road, or the connectors between two of them."""

    id: str
    polygon: np.ndarray
    lane_ids: tuple[str, ...]
    is_connector: bool = False


class AreaKind(str, Enum):
    """Kinds of map areas."""

    INTERSECTION = "intersection"
    CROSSWALK = "crosswalk"
    WALKWAY = "walkway"
    CARPARK = "carpark"
    DRIVABLE = "drivable"
    GENERIC_DRIVABLE = "generic_drivable"
    """Paved, but to the scores no place to drive: nuPlan's layer of that name."""
    STOP_LINE = "stop_line"


@dataclass(frozen=True)
class MapArea:
    """A polygon (M, 2) [m] of a kind; the ring is not closed."""

    id: str
    kind: AreaKind
    polygon: np.ndarray


class LineKind(str, Enum):
    """Kinds of painted or physical lines."""

    LANE_DIVIDER = "lane_divider"
    SOLID = "solid"
    ROAD_EDGE = "road_edge"


@dataclass(frozen=True)
class MapLine:
    """A polyline (N, 2) [m] of a kind, drawn and rendered but not scored."""

    id: str
    kind: LineKind
    points: np.ndarray


@dataclass(frozen=True)
class VectorMap:
    """Everything known about the roads around a scenario; any part may be empty."""

    lanes: dict[str, Lane] = field(default_factory=dict)
    roadblocks: dict[str, Roadblock] = field(default_factory=dict)
    areas: tuple[MapArea, ...] = ()
    lines: tuple[MapLine, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to drive on or query."""
        return not (self.lanes or self.roadblocks or self.areas)

    def areas_of(self, *kinds: AreaKind) -> list[MapArea]:
        """Return the areas of the given kinds in file order."""
        return [area for area in self.areas if area.kind in kinds]

    @property
    def has_drivable_area(self) -> bool:
        """Whether the map says where one may drive, so that leaving it can be scored."""
        return bool(
            self.roadblocks
            or self.areas_of(AreaKind.DRIVABLE)
            or any(len(lane.polygon) for lane in self.lanes.values())
        )
