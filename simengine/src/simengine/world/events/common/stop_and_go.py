"""A stop sign, sometimes with traffic on the crossing road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import before_line, clear_ahead
from simengine.world.stage import Stage


@dataclass(frozen=True)
class StopAndGo:
    """A stop sign, sometimes with traffic on the crossing road.

    Attributes:
        time_to_line: before the stop line at frame 0 [s].
    """

    time_to_line: Span = (2.5, 5.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        turn = str(rng.choice(["left", "straight", "right"]))
        place = places.stop_crossing(rng, turn, str(rng.choice(["two_way", "all_way"])))
        speed = place.facts["speed_limit"] * float(rng.uniform(0.6, 0.9))
        stage = before_line(place, rng, speed, draw(self.time_to_line, rng))
        clear_ahead(stage, 45.0)
        return stage
