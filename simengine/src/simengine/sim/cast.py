"""Who takes part in a simulation."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.scenario.scenario import Scenario


def simulated_scenario(scenario: Scenario, absent: Set[AgentType]) -> Scenario:
    """Return `scenario` with all agents of the kinds `absent` valid nowhere; the very same object if there are none.

    Rows stay where they are, so that states of the simulation and tracks of the log can be compared.
    """
    agents = scenario.agents
    hidden = np.isin(agents.types, [int(kind) for kind in absent])
    if not hidden.any():
        return scenario
    valid = agents.valid & ~hidden[:, None]
    there = valid[..., None]
    return replace(
        scenario,
        agents=replace(
            agents,
            pose=np.where(there, agents.pose, 0.0),
            velocity=np.where(there, agents.velocity, 0.0),
            valid=valid,
        ),
    )
