"""What the other road users do: replay the log, or react.

`LogReplay` and the interface `TrafficModel` are those of `replay.py`.
"""

from __future__ import annotations

from simengine.agents.idm import IdmParams
from simengine.agents.idm_drivers import IdmDrivers
from simengine.agents.paths import PathSet
from simengine.agents.pdm_closed_drivers import PdmClosedDrivers
from simengine.agents.reactive import ReactiveTraffic
from simengine.agents.replay import Forecast, LogReplay, TrafficModel, logged_frame, logged_future
from simengine.agents.roster import Roster, make_roster
from simengine.datatypes.state import AgentFrame, SimState
from simengine.scenario.scenario import Scenario

__all__ = [
    "Forecast",
    "IdmTraffic",
    "LogReplay",
    "PdmClosedTraffic",
    "TrafficModel",
    "logged_frame",
    "logged_future",
]


class IdmTraffic:
    """Traffic whose vehicles follow their paths by the intelligent driver model (`R`).

    Args:
        scenario: the scenario at the simulation rate.
        params: how vehicles accelerate and brake.
        roster: who does what along which path; by default read off the scenario's log.
        seed: decides which way vehicles go at forks beyond their log, if the roster is read off.
    """

    def __init__(
        self,
        scenario: Scenario,
        params: IdmParams | None = None,
        roster: Roster | None = None,
        seed: int = 0,
    ) -> None:
        roster = roster if roster is not None else make_roster(scenario, seed)
        paths = PathSet.pack(roster.paths)
        self.roster = roster
        self._traffic = ReactiveTraffic(scenario, roster, paths, IdmDrivers(scenario, roster, paths, params))

    def step(self, state: SimState) -> AgentFrame:
        """Return the agents one frame after `state`."""
        return self._traffic.step(state)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return vehicles going on along their paths at constant speed, and everyone else's logged future."""
        return self._traffic.forecast(state, steps)


class PdmClosedTraffic:
    """Traffic whose vehicles plan by PDM-Closed along their paths (`R`); slower than `IdmTraffic`.

    Args:
        scenario: the scenario at the simulation rate, 10 Hz.
        roster: who does what along which path; by default read off the scenario's log.
        seed: decides which way vehicles go at forks beyond their log, if the roster is read off.

    Raises:
        ConfigError: the scenario has another rate.
    """

    def __init__(self, scenario: Scenario, roster: Roster | None = None, seed: int = 0) -> None:
        roster = roster if roster is not None else make_roster(scenario, seed)
        paths = PathSet.pack(roster.paths)
        self.roster = roster
        self._traffic = ReactiveTraffic(scenario, roster, paths, PdmClosedDrivers(scenario, roster, paths))

    def step(self, state: SimState) -> AgentFrame:
        """Return the agents one frame after `state`."""
        return self._traffic.step(state)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return vehicles going on along their paths at constant speed, and everyone else's logged future."""
        return self._traffic.forecast(state, steps)
