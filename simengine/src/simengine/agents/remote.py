"""The ego is driven by a planner at the other end of the bridge (or in this process)."""

from __future__ import annotations

from simengine.bridge.planner import PlannerConnection
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState


class RemotePolicy:
    """Asks a planner; tells it when the rollout is over so that it can drop its history."""

    def __init__(self, connection: PlannerConnection, token: str) -> None:
        self._connection = connection
        self._token = token

    def plan(self, observation: Observation, state: SimState) -> Plan:
        """Return the planner's plan; the privileged `state` is not sent."""
        return self._connection.plan(observation)

    def close(self) -> None:
        """End the rollout."""
        self._connection.finish(self._token)
