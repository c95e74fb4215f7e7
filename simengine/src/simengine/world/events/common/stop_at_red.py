"""A red light to stop at, sometimes behind a queue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import STOP_FRONT, approach, clear_ahead, wait_in_line
from simengine.world.stage import Stage


@dataclass(frozen=True)
class StopAtRed:
    """A red light to stop at, sometimes behind a queue.

    Attributes:
        red_for: how long it stays red [s].
        time_to_line: before the stop line at frame 0 [s].
    """

    red_for: Span = (7.0, 30.0)
    time_to_line: Span = (3.5, 6.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        turn = str(rng.choice(["left", "straight", "right"]))
        red_for = draw(self.red_for, rng)
        stage = approach(rng, turn, draw(self.time_to_line, rng), -red_for)
        if rng.random() < 0.5:
            size = stage.random_vehicle_size()
            wait_in_line(stage, STOP_FRONT + 0.5 * size[0], size)
        else:
            clear_ahead(stage, 60.0)
        return stage
