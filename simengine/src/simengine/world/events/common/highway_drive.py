"""The right lane of a highway past a ramp, sometimes behind someone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import add_leader, clear_ahead, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class HighwayDrive:
    """The right lane of a highway past a ramp, sometimes behind someone.

    Attributes:
        headway: to the leader, if there is one [s].
    """

    headway: Span = (1.6, 2.8)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = (
            places.highway_merge(rng, ramp=False)
            if rng.random() < 0.5
            else places.highway_exit(rng, leave=False)
        )
        stage = cruise(place, rng, 0.85)
        if rng.random() < 0.5:
            add_leader(stage, stage.ego_speed * float(rng.uniform(0.8, 0.95)), draw(self.headway, rng))
        else:
            clear_ahead(stage, 90.0)
        return stage
