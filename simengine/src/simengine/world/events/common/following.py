"""A leader that drives a little slower than the ego would like to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import add_leader, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class Following:
    """A leader that drives a little slower than the ego would like to.

    Attributes:
        speed_share: of the leader, in speeds of the ego.
        headway: to the leader [s].
    """

    speed_share: Span = (0.6, 0.95)
    headway: Span = (1.3, 2.4)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.straight(rng) if rng.random() < 0.6 else places.curve(rng)
        stage = cruise(place, rng)
        add_leader(stage, stage.ego_speed * draw(self.speed_share, rng), draw(self.headway, rng))
        return stage
