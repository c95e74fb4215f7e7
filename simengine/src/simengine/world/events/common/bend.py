"""A bend that has to be driven more slowly than the road before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class Bend:
    """A bend that has to be driven more slowly than the road before it.

    Attributes:
        clear: free lane ahead [m].
    """

    clear: float = 50.0

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(places.curve(rng), rng, 0.7)
        clear_ahead(stage, self.clear)
        return stage
