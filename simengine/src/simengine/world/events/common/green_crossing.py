"""Crossing on green: straight on, left or right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import approach, clear_ahead
from simengine.world.stage import Stage


@dataclass(frozen=True)
class GreenCrossing:
    """Crossing on green: straight on, left or right.

    Attributes:
        time_to_line: before the stop line at frame 0 [s].
        since_green: how long the light has been green [s].
    """

    time_to_line: Span = (2.0, 4.5)
    since_green: Span = (0.5, 3.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        turn = str(rng.choice(["left", "straight", "right"]))
        stage = approach(rng, turn, draw(self.time_to_line, rng), draw(self.since_green, rng))
        clear_ahead(stage, 35.0)
        return stage
