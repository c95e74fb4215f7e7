"""What runners are given instead of scenarios."""

from __future__ import annotations

from typing import Protocol

from simengine.scenario.scenario import Scenario


class Handle(Protocol):
    """Names a scenario without loading it."""

    @property
    def token(self) -> str:
        """Unique id."""
        ...

    def load(self) -> Scenario:
        """Return the scenario."""
        ...
