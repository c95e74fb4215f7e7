"""From a highway over a deceleration lane onto a ramp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import clear_ahead
from simengine.world.stage import Stage


@dataclass(frozen=True)
class LeavingHighway:
    """From a highway over a deceleration lane onto a ramp.

    Attributes:
        time_to_taper: before the deceleration lane begins at frame 0 [s].
    """

    time_to_taper: Span = (0.5, 3.5)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.highway_exit(rng, leave=True)
        speed = place.facts["speed_limit"] * float(rng.uniform(0.85, 0.98))
        stage = Stage(place, rng, 0.0, speed)
        stage.ego_start = place.along(place.route_lanes[1]) - speed * draw(self.time_to_taper, rng)
        clear_ahead(stage, 70.0)
        return stage
