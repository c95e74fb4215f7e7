"""Joining from a ramp, or driving past one, in town."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry import polyline
from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class Merging:
    """Joining from a ramp, or driving past one, in town.

    Attributes:
        time_to_join: before the end of the first lane at frame 0 [s].
    """

    time_to_join: Span = (2.5, 5.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.merge(rng)
        stage = cruise(place, rng, 0.7)
        first = place.vector_map.lanes[place.route_lanes[0]].centerline
        length = float(polyline.arc_length(first)[-1])
        stage.ego_start = length - stage.ego_speed * draw(self.time_to_join, rng) - 4.0
        return stage
