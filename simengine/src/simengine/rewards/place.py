"""What stays the same while one scenario is driven: map, and what PDM-Closed can follow."""

from __future__ import annotations

from dataclasses import dataclass

from simengine.errors import MapQueryError
from simengine.pdm_closed.inputs import route_or_logged_path
from simengine.pdm_closed.reference import SOURCE
from simengine.pdm_closed.roads import LINE_NAME, RoadNetwork
from simengine.scenario.scenario import Scenario

ON_LOGGED_PATH = "pdm_closed_on_logged_path"


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
        return self.source == SOURCE


def place_of(scenario: Scenario) -> Place:
    """Return the place of a scenario; build it once, since the road network takes a while on large maps."""
    try:
        roads, route = route_or_logged_path(scenario)
    except MapQueryError:
        return Place(scenario, None, (), "logged_ego")
    return Place(scenario, roads, route, ON_LOGGED_PATH if route == (LINE_NAME,) else SOURCE)
