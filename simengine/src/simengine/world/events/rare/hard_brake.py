"""The leader brakes to a halt for no visible reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.places import Place
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import changing_speeds, path_along, script


@dataclass(frozen=True)
class HardBrake:
    """The leader brakes to a halt for no visible reason.

    Attributes:
        headway: to the leader [s].
        braking: of the leader [m/s^2].
    """

    headway: Dial = (1.5, 1.3)
    braking: Dial = (5.0, 6.2)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(_place(rng), rng, 0.8)
        begin = INITIAL_TIME + float(rng.uniform(-0.4, 0.4))
        size = stage.random_vehicle_size()
        gap = 2.0 + dial(self.headway, difficulty) * stage.ego_speed
        start = stage.ego_center + 0.5 * (stage.vehicle.length + size[0]) + gap
        speeds = changing_speeds(stage.ego_speed, begin, dial(self.braking, difficulty), 0.0)
        clear_ahead(stage, gap)
        stage.actors.append(
            Actor(
                AgentType.VEHICLE,
                size,
                track=script(path_along(stage.line, 30.0), start, speeds),
                hidden_until=begin + 0.3,
            )
        )
        return stage


def _place(rng: np.random.Generator) -> Place:
    make = (places.straight, places.straight, places.curve, places.arterial, places.highway_exit)[
        rng.integers(5)
    ]
    return make(rng, leave=False) if make is places.highway_exit else make(rng)
