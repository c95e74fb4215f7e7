"""Through a roundabout, or up to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import before_line, clear_ahead
from simengine.world.stage import Stage


@dataclass(frozen=True)
class Circle:
    """Through a roundabout, or up to it.

    Attributes:
        time_to_line: before the end of the arm at frame 0 [s].
    """

    time_to_line: Span = (2.0, 4.5)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.roundabout(rng)
        speed = place.facts["speed_limit"] * float(rng.uniform(0.65, 0.9))
        stage = before_line(place, rng, speed, draw(self.time_to_line, rng))
        clear_ahead(stage, 40.0)
        return stage
