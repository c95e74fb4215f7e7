"""Cones close the ego's whole lane, so that it has to change to the next one or stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import aim, clear_ahead, cruise
from simengine.world.stage import Stage


@dataclass(frozen=True)
class LaneClosure:
    """Cones close the ego's whole lane, so that it has to change to the next one or stop.

    Attributes:
        time: from the first decision to the first cones in the way [s].
        taper: length over which the lane ends [m].
        notice: when the cones are noticed, after the first decision [s].
    """

    time: Dial = (3.7, 2.3)
    taper: Dial = (34.0, 16.0)
    notice: Dial = (-0.8, 0.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.lane_closure(rng, in_closed_lane=True, taper=dial(self.taper, difficulty))
        stage = cruise(place, rng, 0.8)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        at = place.facts["closed_from"] + 0.1 * dial(self.taper, difficulty) - 0.5 * stage.vehicle.length
        stage.ego_start = at - stage.ego_speed * meet - stage.vehicle.rear_axle_to_center
        aim(stage, at, meet)
        stage.furnish(hidden_until=INITIAL_TIME + dial(self.notice, difficulty))
        clear_ahead(stage, at - stage.ego_center + 10.0)
        return stage
