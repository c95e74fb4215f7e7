"""A left turn on green across oncoming traffic that leaves gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import before_line, clear_ahead
from simengine.world.light_plans import two_by_two
from simengine.world.stage import Stage


@dataclass(frozen=True)
class LeftWithGap:
    """A left turn on green across oncoming traffic that leaves gaps.

    Attributes:
        time_to_line: before the stop line at frame 0 [s].
    """

    time_to_line: Span = (2.5, 4.5)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.crossing(rng, "left")
        speed = place.facts["speed_limit"] * float(rng.uniform(0.6, 0.9))
        plan = two_by_two("west", float(rng.uniform(0.5, 3.0)))
        stage = before_line(place, rng, speed, draw(self.time_to_line, rng), plan)
        clear_ahead(stage, 40.0)
        return stage
