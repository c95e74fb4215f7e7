"""Two crossings in a row, with lights or signs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import before_line, clear_ahead
from simengine.world.light_plans import one_by_one, two_by_two
from simengine.world.stage import Stage


@dataclass(frozen=True)
class GridDrive:
    """Two crossings in a row, with lights or signs.

    Attributes:
        time_to_line: before the first stop line at frame 0 [s].
        wave: how much later the lights of the next crossing change [s].
    """

    time_to_line: Span = (1.5, 3.5)
    wave: Span = (0.0, 9.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.grid(rng, str(rng.choice(["lights", "lights", "two_way", "all_way"])))
        straight = place.facts["turns"][0] == "straight"
        speed = place.facts["speed_limit"] * float(
            rng.uniform(0.7 if straight else 0.55, 0.9 if straight else 0.7)
        )
        make_plan = one_by_one if rng.random() < 0.5 else two_by_two
        delays = {"b": draw(self.wave, rng), "c": draw(self.wave, rng), "d": draw(self.wave, rng)}
        plan = make_plan("west", float(rng.uniform(0.5, 6.0)), delays)
        stage = before_line(place, rng, speed, draw(self.time_to_line, rng), plan)
        clear_ahead(stage, 35.0)
        return stage
