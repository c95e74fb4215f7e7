"""A vehicle stands in the ego's lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import stand


@dataclass(frozen=True)
class StalledVehicle:
    """A vehicle stands in the ego's lane.

    Attributes:
        time: from the first decision to the conflict [s].
        notice: when it is noticed, after the first decision [s].
    """

    time: Dial = (3.6, 2.2)
    notice: Dial = (-0.4, 0.1)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = (places.straight, places.straight, places.curve, places.arterial)[rng.integers(4)](rng)
        stage = cruise(place, rng, 0.85)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        size = stage.random_vehicle_size()
        s = foresee(stage).reached(meet) + 0.5 * (stage.vehicle.length + size[0])
        pose = stage.beside(s, float(rng.uniform(-0.7, 0.7)), float(rng.normal(0.0, 0.06)))
        clear_ahead(stage, s - stage.ego_center + 8.0)
        notice = INITIAL_TIME + dial(self.notice, difficulty)
        stage.actors.append(Actor(AgentType.VEHICLE, size, track=stand(pose), hidden_until=notice))
        return stage
