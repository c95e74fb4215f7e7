"""A left turn on green."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import approach, clear_ahead
from simengine.world.stage import Stage


@dataclass(frozen=True)
class TurnLeft:
    """A left turn on green.

    Attributes:
        time_to_line: before the stop line at frame 0 [s].
    """

    time_to_line: Span = (2.5, 4.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = approach(rng, "left", draw(self.time_to_line, rng), 1.0)
        clear_ahead(stage, 40.0)
        return stage
