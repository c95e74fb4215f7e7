"""What drives the ego: anything that turns an observation and the state into a plan."""

from __future__ import annotations

from typing import Protocol

from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState

PLAN_STEPS = 40
PLAN_DT = 0.1


class EgoPolicy(Protocol):
    """Drives the ego through one scenario; built anew for each.

    Learned planners look at the observation only. Built-in policies may look at the state, which makes
    them privileged; they get no observation if nobody renders one.
    """

    def plan(self, observation: Observation | None, state: SimState) -> Plan:
        """Return the intended future at `state`, in the ego frame of `state`."""
        ...
