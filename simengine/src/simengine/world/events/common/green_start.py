"""The ego waits at a red light that turns green soon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import STOP_FRONT, approach, wait_in_line
from simengine.world.stage import Stage


@dataclass(frozen=True)
class GreenStart:
    """The ego waits at a red light that turns green soon.

    Attributes:
        turns_green: after the first decision [s].
    """

    turns_green: Span = (-0.5, 2.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        turn = str(rng.choice(["left", "straight", "right"]))
        stage = approach(rng, turn, 0.0, -INITIAL_TIME - draw(self.turns_green, rng))
        stage.ego_start -= STOP_FRONT
        stage.ego_speed = 0.0
        if rng.random() < 0.4:
            size = stage.random_vehicle_size()
            wait_in_line(stage, STOP_FRONT + 0.5 * size[0], size)
            stage.ego_start -= size[0] + float(rng.uniform(2.2, 3.0))
        return stage
