"""A vehicle crosses on red while the ego has green."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import aim, clear_ahead, clear_along, crossing_point, front_at
from simengine.world.light_plans import one_by_one
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES, path_along, script


@dataclass(frozen=True)
class RedLightRunner:
    """A vehicle crosses on red while the ego has green.

    Attributes:
        time: from the first decision to the conflict [s].
        notice: when it is noticed, before the conflict [s].
    """

    time: Dial = (3.3, 2.2)
    notice: Dial = (2.9, 2.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.crossing(rng, "straight")
        limit = place.facts["speed_limit"]
        stage = Stage(place, rng, 1.0, limit * float(rng.uniform(0.85, 0.98)))
        stage.light_plan = one_by_one("west", float(rng.uniform(1.0, 4.0)))
        arm, target = ("south", "north") if rng.integers(2) else ("north", "south")
        lane = int(rng.integers(place.facts["lanes"]))
        line = place.line_of((f"{arm}_b{lane}", f"{arm}_b{lane}__{target}_f{lane}", f"{target}_f{lane}"))
        ego_s, other_s = crossing_point(stage.line, line)
        stage.ego_start = ego_s - stage.ego_speed * (INITIAL_TIME + dial(self.time, difficulty))
        ahead = aim(stage, ego_s, INITIAL_TIME + dial(self.time, difficulty))
        meet = front_at(stage, ahead, ego_s)
        speed = min(limit * float(rng.uniform(0.9, 1.25)), 14.0)
        time = meet + float(rng.uniform(-0.15, 0.15))
        speed = min(speed, (other_s - 0.5) / time)
        track = script(path_along(line, 30.0), other_s - speed * time, np.full(len(TIMES), speed))
        clear_ahead(stage, ego_s - stage.ego_center + 20.0)
        clear_along(stage, line, 0.0, other_s + 40.0)
        stage.actors.append(
            Actor(
                AgentType.VEHICLE,
                stage.random_vehicle_size(trucks=False),
                track=track,
                hidden_until=meet - dial(self.notice, difficulty),
                unnoticed=True,
            )
        )
        return stage
