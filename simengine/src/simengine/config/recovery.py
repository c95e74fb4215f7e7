"""The keys `recovery.*`: from where, and by whom, recoveries are driven."""

from __future__ import annotations

import math
from collections.abc import Callable

from simengine.agents.expert import ExpertPolicy
from simengine.agents.pdm_closed import PdmClosedPolicy
from simengine.agents.policy import EgoPolicy
from simengine.agents.recovery import RecoveryParams, perturbed_start
from simengine.config.schema import RunConfig
from simengine.datatypes.state import SimState
from simengine.runner.worker import PolicySource
from simengine.scenario.scenario import Scenario
from simengine.sim.loop import Simulation

DRIVERS = ("auto", "pdm_closed", "expert")
BUILTIN = "builtin"


def recovery_params(config: RunConfig) -> RecoveryParams:
    """Return how far starts are off; `ConfigError` if the numbers make no sense."""
    values = config.recovery
    return RecoveryParams(
        values.lateral, math.radians(values.heading_deg), values.speed, values.clearance, values.draws
    )


def recovery_source(config: RunConfig) -> PolicySource:
    """Return policies that drive back from perturbed starts."""
    params = recovery_params(config)

    def start(simulation: Simulation, state: SimState, seed: int) -> SimState:
        protocol = simulation.protocol
        history = (protocol.history_length - 1) * protocol.history_dt
        return perturbed_start(simulation.episode.scenario, state, params, seed, history)

    return PolicySource(_driver(config.recovery.driver), start=start)


def _driver(name: str) -> Callable[[Scenario, Simulation], EgoPolicy]:
    """Return who drives; the expert knows his way in the built-in world only."""

    def make(scenario: Scenario, simulation: Simulation) -> EgoPolicy:
        expert = scenario.tags.get("source") == BUILTIN if name == "auto" else name == "expert"
        return ExpertPolicy(scenario, simulation.episode.traffic) if expert else PdmClosedPolicy(scenario)

    return make
