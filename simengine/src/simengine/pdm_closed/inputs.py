"""Everything PDM-Closed looks at, as one value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentStates
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import MapQueryError
from simengine.map.route import path_centerline
from simengine.pdm_closed.roads import LINE_NAME, RoadNetwork, line_network, road_network
from simengine.scenario.scenario import Scenario

LOG_EXTENSION = 200.0


@dataclass(frozen=True)
class PdmClosedInput:
    """One instant: nothing in it knows the future.

    Attributes:
        roads: the road network; built once per map.
        route: ids of blocks of `roads`, at least one.
        ego: (11,) state of the ego, see `StateIndex`.
        agents: everyone present.
        red_lanes: ids of the lanes that show red.
        vehicle: dimensions of the ego.
    """

    roads: RoadNetwork
    route: tuple[str, ...]
    ego: np.ndarray
    agents: AgentStates
    red_lanes: tuple[str, ...]
    vehicle: VehicleParams

    @classmethod
    def from_scenario(cls, scenario: Scenario, frame: int | None = None) -> PdmClosedInput:
        """Return the logged instant of `frame`, by default that of the first decision.

        Raises:
            MapQueryError: the map has no lane of the route.
        """
        frame = scenario.initial_frame if frame is None else frame
        return cls(
            *usable_route(scenario),
            scenario.ego.state(frame),
            logged_agents(scenario, frame),
            tuple(scenario.lights.red_lanes(frame)),
            scenario.vehicle,
        )


def usable_route(scenario: Scenario) -> tuple[RoadNetwork, tuple[str, ...]]:
    """Return the road network of a scenario and the part of its route that the network knows.

    Raises:
        MapQueryError: nothing is left of the route.
    """
    roads = road_network(scenario.map)
    route = roads.blocks_of(scenario.route)
    if not route:
        raise MapQueryError(
            f"scenario {scenario.token}: none of the {len(scenario.route)} route ids names a roadblock or lane with a "
            f"centre line among the map's {len(roads.lanes)}, expected at least one: PDM-Closed cannot plan here, "
            "use the logged ego instead"
        )
    return roads, route


def route_or_logged_path(scenario: Scenario) -> tuple[RoadNetwork, tuple[str, ...]]:
    """Return the usable route of a scenario, or else its logged path, prolonged by 200 m, as a network of its own.

    Raises:
        MapQueryError: there is no route and the logged ego never moves.
    """
    try:
        return usable_route(scenario)
    except MapQueryError as no_route:
        line = path_centerline(scenario.ego.pose, LOG_EXTENSION)
        if line is None:
            raise MapQueryError(
                f"{no_route}; but the logged ego never moves, so there is no path to follow"
            ) from None
        return line_network(line, scenario.map), (LINE_NAME,)


def logged_agents(scenario: Scenario, frame: int) -> AgentStates:
    """Return the agents that the log of `scenario` holds at `frame`."""
    tracks = scenario.agents
    return present_agents(scenario, tracks.pose[:, frame], tracks.velocity[:, frame], tracks.valid[:, frame])


def present_agents(
    scenario: Scenario, pose: np.ndarray, velocity: np.ndarray, present: Iterable[bool]
) -> AgentStates:
    """Return the agents of `scenario` that are present, at the given poses (A, 3) and velocities (A, 2)."""
    tracks, index = scenario.agents, np.flatnonzero(np.asarray(present))
    return AgentStates(
        tuple(tracks.ids[i] for i in index),
        tracks.types[index],
        pose[index],
        velocity[index],
        tracks.size[index],
    )
