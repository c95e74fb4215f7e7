"""A straight road with nobody just ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class FreeDrive:
    """A straight road with nobody just ahead.

    Attributes:
        clear: free lane ahead [m].
    """

    clear: float = 70.0

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(places.straight(rng), rng, 0.6)
        clear_ahead(stage, self.clear)
        return stage
