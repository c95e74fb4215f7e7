"""PDM-Closed at the wheel: it plans anew at every decision from what is there at that moment."""

from __future__ import annotations

from simengine.agents.policy import PLAN_STEPS
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.geometry import se2
from simengine.pdm_closed.inputs import PdmClosedInput, present_agents, route_or_logged_path
from simengine.pdm_closed.parameters import FRESH_PDM_CLOSED, PdmClosedParameters
from simengine.pdm_closed.planner import PdmClosedResult, plan_pdm_closed
from simengine.scenario.scenario import Scenario


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
        self._roads, self._route = route_or_logged_path(scenario)

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
