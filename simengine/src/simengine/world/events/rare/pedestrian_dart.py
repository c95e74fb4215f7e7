"""Someone runs into the road from behind a parked van."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, cruise, own_road
from simengine.world.stage import SIZES, Actor, Stage
from simengine.world.tracks import stand, walk

# Where people run or ride into the road, a driver at city speed still has a chance.
SLOW_LIMITS = (8.9, 11.2)
VAN = (5.4, 2.0, 2.5)
# How far to the right of the middle of the lane the pedestrian is when the ego is there [m].
IN_THE_WAY = 0.4


@dataclass(frozen=True)
class PedestrianDart:
    """Someone runs into the road from behind a parked van.

    Attributes:
        time: from the first decision to the conflict [s].
        notice: when the pedestrian sets off, before the conflict [s].
    """

    time: Dial = (3.4, 2.6)
    notice: Dial = (2.5, 1.8)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1, limits=SLOW_LIMITS)
        if rng.random() < 0.4:
            place = places.narrow(rng)
        stage = cruise(place, rng, 0.8)
        ahead, road = foresee(stage), own_road(stage)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        speed = float(rng.uniform(1.6, 2.3))
        at = ahead.reached(meet) + 0.5 * stage.vehicle.length
        kerb = -0.5 * (road.lane_width + road.shoulder)
        stage.actors.append(
            Actor(AgentType.VEHICLE, VAN, track=stand(stage.beside(at - 0.5 * VAN[0] - 0.8, kerb)))
        )
        begin_at = min(-IN_THE_WAY - speed * dial(self.notice, difficulty), kerb - 1.6)
        end_at = 0.5 * road.lane_width + 0.6 + float(rng.uniform(0.5, 8.0)) * rng.integers(2)
        path = np.stack([stage.beside(at, begin_at)[:2], stage.beside(at, end_at)[:2]])
        begin = meet - (abs(begin_at) - IN_THE_WAY) / speed
        size = SIZES[AgentType.PEDESTRIAN]
        stage.actors.append(
            Actor(AgentType.PEDESTRIAN, size, track=walk(path, speed, begin), hidden_until=begin + 0.1)
        )
        stage.keep_clear += [(stage.beside(at + 4.0, kerb)[:2], 7.0), (path[1], 3.5)]
        clear_ahead(stage, at - stage.ego_center + 8.0)
        return stage
