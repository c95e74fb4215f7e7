"""A place: a map with what the generator needs to know about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.datatypes.map import VectorMap
from simengine.geometry import polyline
from simengine.world.places.junction import STOP_OFFSET
from simengine.world.roads import Road


@dataclass(frozen=True)
class Furniture:
    """Something that stands in a place whatever happens there.

    Attributes:
        kind: type of agent.
        size: length, width, height [m].
        pose: (3,) box centre in world.
    """

    kind: AgentType
    size: tuple[float, float, float]
    pose: np.ndarray


@dataclass(frozen=True)
class Place:
    """A map with the ego's route through it.

    Attributes:
        family: name of the map family.
        vector_map: the map.
        roads: by name.
        route_lanes: lanes the ego follows, in order.
        start: arc length at which the ego may start on the first of them [m].
        crosswalks: (road name, arc length on its line) of each crosswalk.
        controlled: approach -> ids of the connectors its light controls, with stop points. An approach is named
            by the arm it comes from, such as `west`, after the name of the junction where there are several, such
            as `a.west`.
        signed: lanes that end at a stop or give-way line.
        stop_offset: from the stop line to the end of the ego's first lane, where it has one [m].
        furniture: cones and the like that belong to the place.
        facts: choices made, for the tags.
    """

    family: str
    vector_map: VectorMap
    roads: dict[str, Road]
    route_lanes: tuple[str, ...]
    start: float
    crosswalks: tuple[tuple[str, float], ...] = ()
    controlled: dict[str, tuple[tuple[str, np.ndarray], ...]] = field(default_factory=dict)
    signed: tuple[str, ...] = ()
    stop_offset: float = STOP_OFFSET
    furniture: tuple[Furniture, ...] = ()
    facts: dict = field(default_factory=dict)

    @property
    def route(self) -> tuple[str, ...]:
        """Roadblock ids of the route."""
        return tuple(self.vector_map.lanes[lane].roadblock_id for lane in self.route_lanes)

    @cached_property
    def ego_line(self) -> np.ndarray:
        """Centre line (N, 2) of the whole route."""
        return self.line_of(self.route_lanes)

    @cached_property
    def approach_of(self) -> dict[str, str]:
        """The approach of each lane that ends at a light."""
        lanes = self.vector_map.lanes
        return {
            lane: approach
            for approach, entries in self.controlled.items()
            for connector, _ in entries
            for lane in lanes[connector].predecessors
        }

    def line_of(self, lane_ids: tuple[str, ...]) -> np.ndarray:
        """Return the centre line (N, 2) of lanes in a row."""
        lines = [self.vector_map.lanes[lane].centerline for lane in lane_ids]
        return polyline.drop_repeated(np.concatenate(lines), 0.05)

    def along(self, lane_id: str, s: float = 0.0) -> float:
        """Return the arc length on the ego line of the point `s` [m] after the start of a lane of the route."""
        index = self.route_lanes.index(lane_id)
        lengths = [
            float(polyline.arc_length(self.vector_map.lanes[lane].centerline)[-1])
            for lane in self.route_lanes[:index]
        ]
        return sum(lengths) + s
