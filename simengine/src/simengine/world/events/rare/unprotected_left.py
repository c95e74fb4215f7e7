"""A left turn on green with oncoming traffic that has the right of way."""

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
    crossing_point,
    front_at,
)
from simengine.world.light_plans import two_by_two
from simengine.world.stage import Stage


@dataclass(frozen=True)
class UnprotectedLeft:
    """A left turn on green with oncoming traffic that has the right of way.

    Attributes:
        time: from the first decision to the conflict [s].
        headway: between the oncoming vehicles: the hard ones leave a gap that is too short [s].
        notice: when they are noticed, before the conflict [s].
    """

    time: Dial = (3.4, 2.2)
    headway: Dial = (1.8, 3.2)
    notice: Dial = (3.0, 2.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.crossing(rng, "left")
        limit, lane = place.facts["speed_limit"], int(rng.integers(place.facts["lanes"]))
        plan = two_by_two("west", float(rng.uniform(0.5, 3.0)))
        stage = before_line(place, rng, limit * float(rng.uniform(0.55, 0.8)), 3.0, plan)
        line = place.line_of((f"east_b{lane}", f"east_b{lane}__west_f{lane}", f"west_f{lane}"))
        ego_s, other_s = crossing_point(stage.line, line)
        ahead = aim(stage, ego_s, INITIAL_TIME + dial(self.time, difficulty))
        meet = front_at(stage, ahead, ego_s)
        speed = min(limit * float(rng.uniform(0.8, 1.0)), (other_s - 1.0) / meet)
        first = other_s - speed * (meet + float(rng.uniform(-0.15, 0.15)))
        hidden = meet - dial(self.notice, difficulty)
        step = max(dial(self.headway, difficulty) * speed, 9.0)
        behind = tuple(k * step for k in range(1, int(rng.integers(2, 5))))
        add_stream(stage, line, first, speed, behind, hidden)
        stage.quiet |= set(place.roads["east"].lane_ids("b"))
        clear_ahead(stage, ego_s - stage.ego_center + 25.0)
        clear_along(stage, line, 0.0, other_s + 30.0)
        return stage
