"""A stop sign before a road with traffic that does not stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import (
    aim,
    before_line,
    clear_ahead,
    clear_along,
    crossing_point,
    joining_point,
)
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES, path_along, script


@dataclass(frozen=True)
class StopSign:
    """A stop sign before a road with traffic that does not stop.

    Attributes:
        time: from the first decision to the conflict [s].
        headway: to the next one: the hard ones leave a gap that is too short [s].
        notice: when they are noticed, before the conflict [s].
    """

    time: Dial = (3.4, 2.5)
    headway: Dial = (2.0, 3.4)
    notice: Dial = (3.0, 2.4)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.stop_crossing(rng, str(rng.choice(["left", "straight", "right"])))
        limit = place.facts["speed_limit"]
        stage = before_line(place, rng, limit * float(rng.uniform(0.6, 0.85)), 3.0)
        # Only who comes from the left is in the way of a right turn.
        left = place.facts["turn"] == "right" or rng.random() < 0.5
        arm, target = ("north", "south") if left else ("south", "north")
        lane = place.facts["crossing_lanes"] - 1 if place.facts["turn"] == "right" else 0
        line = place.line_of((f"{arm}_b{lane}", f"{arm}_b{lane}__{target}_f{lane}", f"{target}_f{lane}"))
        find = joining_point if place.facts["turn"] == "right" else crossing_point
        ego_s, other_s = find(stage.line, line)
        meet = aim(stage, ego_s, INITIAL_TIME + dial(self.time, difficulty)).time_at(ego_s)
        speed = min(limit * float(rng.uniform(0.8, 1.0)), (other_s - 1.0) / meet)
        first = other_s - speed * (meet + float(rng.uniform(-0.3, 0.2)))
        hidden = meet - dial(self.notice, difficulty)
        for k in range(int(rng.integers(1, 4))):
            start = first - k * max(dial(self.headway, difficulty) * speed, 9.0)
            if start < 0.5:
                break
            track = script(path_along(line, 30.0), start, np.full(len(TIMES), speed))
            size = stage.random_vehicle_size(trucks=False)
            stage.actors.append(
                Actor(AgentType.VEHICLE, size, track=track, hidden_until=hidden, unnoticed=True)
            )
        clear_ahead(stage, ego_s - stage.ego_center + 25.0)
        clear_along(stage, line, 0.0, other_s + 30.0)
        return stage
