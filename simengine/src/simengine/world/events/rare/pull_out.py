"""A parked car pulls out right in front of the ego."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, cruise, own_road
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES, beside_line, changing_speeds, script, smooth_step

LIMITS = (8.9, 11.2, 13.4)


@dataclass(frozen=True)
class PullOut:
    """A parked car pulls out right in front of the ego.

    Attributes:
        time: from the first decision to the conflict [s].
        notice: when it starts, before the conflict [s].
    """

    time: Dial = (3.5, 2.4)
    notice: Dial = (2.9, 2.1)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = (
            places.narrow(rng)
            if rng.random() < 0.5
            else places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1, limits=LIMITS)
        )
        stage = cruise(place, rng, 0.8)
        road = own_road(stage)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        begin = meet - dial(self.notice, difficulty)
        size = stage.random_vehicle_size(trucks=False)
        speeds = changing_speeds(0.0, begin, 2.0, float(rng.uniform(3.0, 4.5)))
        gone = float(np.interp(meet, TIMES, np.cumsum(speeds) * 0.1))
        start = foresee(stage).reached(meet) + 0.5 * (stage.vehicle.length + size[0]) - gone
        s = start - 8.0 + np.arange(0.0, 120.0, 0.5)
        kerb = -0.5 * (road.lane_width + road.shoulder) - 0.1
        path = beside_line(stage.line, s, kerb * (1.0 - smooth_step((s - start) / 8.0)))
        stage.actors.append(
            Actor(AgentType.VEHICLE, size, track=script(path, 8.0, speeds), hidden_until=begin + 0.2)
        )
        stage.keep_clear.append((stage.beside(start + 5.0, kerb)[:2], 9.0))
        clear_ahead(stage, start - stage.ego_center + 25.0)
        return stage
