"""Past a closed lane in the lane beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import add_leader, clear_ahead, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class WorkZone:
    """Past a closed lane in the lane beside it.

    Attributes:
        headway: to the leader, if there is one [s].
    """

    headway: Span = (1.4, 2.6)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.lane_closure(rng, in_closed_lane=False)
        stage = cruise(place, rng, 0.7)
        stage.furnish()
        stage.quiet |= {f"road{k}_f{place.facts['closed_lane']}" for k in range(2)}
        if rng.random() < 0.4:
            add_leader(stage, stage.ego_speed * float(rng.uniform(0.7, 0.95)), draw(self.headway, rng))
        else:
            clear_ahead(stage, 60.0)
        return stage
