"""Which lane an agent of the published loop is on: its own track, then the map lane at its end, then first exits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from simengine.agents.worldengine.point_lane import PointLane
from simengine.datatypes.map import VectorMap

OWN_SHARE = 0.9
MAX_LANES = 50


@dataclass(frozen=True)
class Itinerary:
    """The lanes of one agent in order; the first is its own logged track."""

    lanes: tuple[PointLane, ...]

    def lane_at(self, point: np.ndarray) -> PointLane:
        """Return the lane for an agent at `point` (2,).

        Its track counts for 90 % of its length and every map lane up to its end; where the map ends, the last lane
        goes on. The lane follows from the place alone, so nothing is remembered.
        """
        for k, lane in enumerate(self.lanes[:-1]):
            along = lane.coordinates(point[None])[0][0]
            if along < (OWN_SHARE if k == 0 else 1.0) * lane.length:
                return lane
        return self.lanes[-1]


class LaneBook:
    """The lanes of a map as the published loop sees them; build it once per map."""

    def __init__(self, vector_map: VectorMap) -> None:
        made = {k: PointLane.from_points(lane.centerline) for k, lane in vector_map.lanes.items()}
        self._lanes: Mapping[str, PointLane] = {k: lane for k, lane in made.items() if lane is not None}
        self._exits = {k: vector_map.lanes[k].successors for k in self._lanes}

    def itinerary(self, track: np.ndarray) -> Itinerary | None:
        """Return the itinerary of an agent with logged centres `track` (N, 2); None if it moves less than a metre."""
        own = PointLane.from_points(track)
        if own is None:
            return None
        names: list[str] = []
        name = self._nearest(track[-1])
        while name is not None and name not in names and len(names) < MAX_LANES:
            names.append(name)
            following = self._exits[name][:1]
            name = following[0] if following and following[0] in self._lanes else None
        return Itinerary((own, *(self._lanes[k] for k in names)))

    def _nearest(self, point: np.ndarray) -> str | None:
        """The lane with the smallest offset plus overshoot; of equal ones the first of the map."""
        if not self._lanes:
            return None
        return min(self._lanes, key=lambda k: float(self._lanes[k].distance(point[None, :2])[0]))
