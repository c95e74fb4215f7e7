"""What stays the same while one scenario is driven: map, and what PDM-Closed can follow."""

from __future__ import annotations

from dataclasses import dataclass

from simengine.errors import MapQueryError
from simengine.map.route import path_centerline
from simengine.pdm_closed.inputs import usable_route
from simengine.pdm_closed.roads import RoadNetwork, line_network
from simengine.scenario.scenario import Scenario

LOG_EXTENSION = 200.0
"""By how much a logged path is prolonged for a reference that has no route [m]."""


@dataclass(frozen=True)
class Place:
    """A scenario with its roads.

    Attributes:
        scenario: map, route, vehicle and log.
        roads: what PDM-Closed follows: the map, or the logged path where the map knows no route; None where the
            logged ego does not move either.
        route: ids of blocks of `roads`.
        source: `pdm_closed`, `pdm_closed_on_logged_path` or `logged_ego`: who is the reference of progress.
    """

    scenario: Scenario
    roads: RoadNetwork | None
    route: tuple[str, ...]
    source: str

    @property
    def has_route(self) -> bool:
        """Whether the map knows the route."""
        return self.source == "pdm_closed"


def place_of(scenario: Scenario) -> Place:
    """Return the place of a scenario; build it once, since the road network takes a while on large maps."""
    try:
        roads, route = usable_route(scenario)
    except MapQueryError:
        line = path_centerline(scenario.ego.pose, LOG_EXTENSION)
        if line is None:
            return Place(scenario, None, (), "logged_ego")
        return Place(scenario, line_network(line, scenario.map), ("path",), "pdm_closed_on_logged_path")
    return Place(scenario, roads, route, "pdm_closed")
