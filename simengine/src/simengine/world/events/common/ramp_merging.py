"""From a ramp over an acceleration lane onto a highway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import clear_ahead
from simengine.world.places.highway import RAMP_LIMIT
from simengine.world.stage import Stage


@dataclass(frozen=True)
class RampMerging:
    """From a ramp over an acceleration lane onto a highway.

    Attributes:
        time_to_nose: before the end of the ramp at frame 0 [s].
    """

    time_to_nose: Span = (0.5, 3.5)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.highway_merge(rng, ramp=True)
        speed = RAMP_LIMIT * float(rng.uniform(0.85, 0.98))
        stage = Stage(place, rng, 0.0, speed)
        stage.ego_start = place.along(place.route_lanes[1]) - speed * draw(self.time_to_nose, rng)
        clear_ahead(stage, 60.0)
        return stage
