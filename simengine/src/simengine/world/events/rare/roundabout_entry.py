"""Someone in the roundabout has the right of way where the ego wants to enter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import (
    add_stream,
    aim,
    before_line,
    clear_ahead,
    clear_along,
    front_at,
    joining_point,
)
from simengine.world.stage import Stage


@dataclass(frozen=True)
class RoundaboutEntry:
    """Someone in the roundabout has the right of way where the ego wants to enter.

    Attributes:
        time: from the first decision to the conflict [s].
        headway: to a second one: the hard ones leave a gap that is too short [s].
        notice: when they are noticed, before the conflict [s].
    """

    time: Dial = (3.4, 2.2)
    headway: Dial = (2.2, 3.4)
    notice: Dial = (3.0, 2.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.roundabout(rng)
        stage = before_line(place, rng, place.facts["speed_limit"] * float(rng.uniform(0.6, 0.8)), 2.5)
        last = place.facts["arms"] - 1
        line = place.line_of(
            (
                f"arm{last}_b0",
                f"arm{last}_b0__ring{last}_f0",
                f"ring{last}_f0",
                f"ring{last}_f0__ring0_f0",
                "ring0_f0",
                "ring0_f0__arm1_f0",
                "arm1_f0",
            )
        )
        ego_s, other_s = joining_point(stage.line, line, 1.8)
        ahead = aim(stage, ego_s, INITIAL_TIME + dial(self.time, difficulty))
        meet = front_at(stage, ahead, ego_s)
        speed = float(rng.uniform(5.5, 7.0))
        first = other_s - speed * (meet + float(rng.uniform(-0.2, 0.2)))
        hidden = meet - dial(self.notice, difficulty)
        step = max(dial(self.headway, difficulty) * speed, 9.0)
        behind = tuple(k * step for k in range(1, int(rng.integers(1, 4))))
        add_stream(stage, line, first, speed, behind, hidden)
        clear_ahead(stage, ego_s - stage.ego_center + 25.0)
        clear_along(stage, line, 0.0, other_s + 30.0)
        return stage
