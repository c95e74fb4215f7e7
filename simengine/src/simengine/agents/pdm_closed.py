"""PDM-Closed at the wheel: it plans anew at every decision from what is there at that moment."""

from __future__ import annotations

from simengine.agents.policy import PLAN_STEPS
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.errors import MapQueryError
from simengine.geometry import se2
from simengine.map.route import path_centerline
from simengine.pdm_closed.inputs import PdmClosedInput, present_agents, usable_route
from simengine.pdm_closed.parameters import FRESH_PDM_CLOSED, PdmClosedParameters
from simengine.pdm_closed.planner import PdmClosedResult, plan_pdm_closed
from simengine.pdm_closed.roads import RoadNetwork, line_network
from simengine.scenario.scenario import Scenario

LOG_EXTENSION = 200.0


class PdmClosedPolicy:
    """Drives by PDM-Closed along the route, or along the logged path where the map knows no route.

    Args:
        scenario: gives map, lights, route and sizes.
        parameters: how to drive; with fresh leads by default, since the published first step of every plan brakes
            for nothing.

    Raises:
        MapQueryError: there is neither a route nor a logged path to follow.
    """

    def __init__(self, scenario: Scenario, parameters: PdmClosedParameters = FRESH_PDM_CLOSED) -> None:
        self._scenario, self._parameters = scenario, parameters
        self._roads, self._route = _something_to_follow(scenario)

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """See `EgoPolicy.plan`; the observation is not needed."""
        poses = self.decide(state).poses[1 : PLAN_STEPS + 1]
        return Plan(se2.to_local(state.ego[:3], poses), self._parameters.dt)

    def decide(self, state: SimState) -> PdmClosedResult:
        """Return everything PDM-Closed thinks at `state`."""
        lights = self._scenario.lights
        agents = state.agents
        given = PdmClosedInput(
            self._roads,
            self._route,
            state.ego,
            present_agents(self._scenario, agents.pose, agents.velocity, agents.present),
            tuple(lights.red_lanes(min(state.frame, lights.state.shape[1] - 1))),
            self._scenario.vehicle,
        )
        return plan_pdm_closed(given, self._parameters)


def _something_to_follow(scenario: Scenario) -> tuple[RoadNetwork, tuple[str, ...]]:
    try:
        return usable_route(scenario)
    except MapQueryError as no_route:
        line = path_centerline(scenario.ego.pose, LOG_EXTENSION)
        if line is None:
            raise MapQueryError(
                f"{no_route}; but the logged ego never moves, so there is no path to follow"
            ) from None
        return line_network(line, scenario.map), ("path",)
