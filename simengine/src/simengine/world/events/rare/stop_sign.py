"""A stop sign before a road with traffic that does not stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import (
    add_stream,
    before_line,
    clear_ahead,
    clear_along,
    crossing_point,
    front_at,
    joining_point,
)
from simengine.world.stage import Stage

LIMITS = (11.2, 13.4)


@dataclass(frozen=True)
class StopSign:
    """A stop sign before a road with traffic that does not stop.

    Attributes:
        braking: how hard the ego has to brake for the stop line [m/s^2].
        headway: to the next one: the hard ones leave a gap that is too short [s].
        notice: when they are noticed, before the conflict [s].
    """

    braking: Dial = (2.4, 3.2)
    headway: Dial = (2.0, 3.4)
    notice: Dial = (3.0, 2.4)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.stop_crossing(rng, str(rng.choice(["left", "straight", "right"])), limits=LIMITS)
        limit = place.facts["speed_limit"]
        speed = limit * float(rng.uniform(0.9, 1.0))
        stage = before_line(place, rng, speed, 0.5 * speed / dial(self.braking, difficulty))
        # Only who comes from the left is in the way of a right turn.
        left = place.facts["turn"] == "right" or rng.random() < 0.5
        arm, target = ("north", "south") if left else ("south", "north")
        lane = place.facts["crossing_lanes"] - 1 if place.facts["turn"] == "right" else 0
        line = place.line_of((f"{arm}_b{lane}", f"{arm}_b{lane}__{target}_f{lane}", f"{target}_f{lane}"))
        find = joining_point if place.facts["turn"] == "right" else crossing_point
        ego_s, other_s = find(stage.line, line)
        meet = front_at(stage, foresee(stage), ego_s)
        speed = min(limit * float(rng.uniform(0.8, 1.0)), (other_s - 1.0) / meet)
        # Two that join touch later than two that cross.
        late = 0.2 if place.facts["turn"] == "right" else 0.0
        first = other_s - speed * (meet + late + float(rng.uniform(-0.15, 0.15)))
        hidden = meet - dial(self.notice, difficulty)
        step = max(dial(self.headway, difficulty) * speed, 9.0)
        behind = tuple(k * step for k in range(1, int(rng.integers(1, 4))))
        add_stream(stage, line, first, speed, behind, hidden)
        clear_ahead(stage, ego_s - stage.ego_center + 25.0)
        clear_along(stage, line, 0.0, other_s + 30.0)
        return stage
