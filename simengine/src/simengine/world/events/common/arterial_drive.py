"""A winding main road, sometimes behind someone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import add_leader, clear_ahead, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class ArterialDrive:
    """A winding main road, sometimes behind someone.

    Attributes:
        headway: to the leader, if there is one [s].
    """

    headway: Span = (1.4, 2.6)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(places.arterial(rng), rng, 0.8)
        if rng.random() < 0.5:
            add_leader(stage, stage.ego_speed * float(rng.uniform(0.75, 0.95)), draw(self.headway, rng))
        else:
            clear_ahead(stage, 70.0)
        return stage
