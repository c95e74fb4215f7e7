"""The ego is driven by a planner at the other end of the bridge (or in this process)."""

from __future__ import annotations

from simengine.bridge.planner import PlannerConnection
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState


class RemotePolicy:
    """Asks a planner."""

    def __init__(self, connection: PlannerConnection) -> None:
        self._connection = connection

    def plan(self, observation: Observation, state: SimState) -> Plan:
        """Return the planner's plan; the privileged `state` is not sent."""
        return self._connection.plan(observation)
