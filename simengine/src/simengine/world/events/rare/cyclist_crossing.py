"""A cyclist crosses the road at a crosswalk without looking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import aim, clear_ahead, cruise, front_at
from simengine.world.stage import SIZES, Actor, Stage
from simengine.world.tracks import walk


@dataclass(frozen=True)
class CyclistCrossing:
    """A cyclist crosses the road at a crosswalk without looking.

    Attributes:
        time: from the first decision to the conflict [s].
        notice: when it is noticed, before the conflict [s].
    """

    time: Dial = (3.4, 2.7)
    notice: Dial = (2.6, 2.1)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.straight(rng, lanes=int(rng.integers(1, 3)))
        stage = cruise(place, rng, 0.8)
        road, s = place.roads[place.crosswalks[0][0]], place.crosswalks[0][1]
        centre = polyline.sample(road.line, s)
        found = polyline.project(stage.line, centre[:2])
        at, own_offset = float(found[0]), float(found[1])
        stage.ego_start = at - stage.ego_speed * (INITIAL_TIME + dial(self.time, difficulty)) - 3.0
        ahead = aim(stage, at, INITIAL_TIME + dial(self.time, difficulty))
        meet = front_at(stage, ahead, at)
        side = float(rng.choice([-1.0, 1.0]))
        speed = float(rng.uniform(3.0, 4.5))
        # It waits out of the way if it would otherwise start on the road.
        wait = abs(road.kerb("left" if side > 0 else "right") - own_offset) + 1.2
        begin = max(0.0, meet - wait / speed + float(rng.uniform(-0.2, 0.2)))
        path = np.stack([stage.beside(at, side * wait)[:2], stage.beside(at, -side * 25.0)[:2]])
        clear_ahead(stage, at - stage.ego_center + 6.0)
        stage.actors.append(
            Actor(
                AgentType.CYCLIST,
                SIZES[AgentType.CYCLIST],
                track=walk(path, speed, begin),
                hidden_until=meet - dial(self.notice, difficulty),
                unnoticed=True,
            )
        )
        return stage
