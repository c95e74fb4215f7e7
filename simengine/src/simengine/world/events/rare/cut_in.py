"""A slower vehicle from the next lane moves in front of the ego, and then slows down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, clear_along, cruise
from simengine.world.roads import LANE_WIDTH
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import beside_line, changing_speeds, script, smooth_step


@dataclass(frozen=True)
class CutIn:
    """A slower vehicle from the next lane moves in front of the ego, and then slows down.

    Attributes:
        gap: between the two when the lane change begins [m].
        speed_share: of the other, in speeds of the ego.
        duration: of the lane change [s].
    """

    gap: Dial = (11.0, 7.5)
    speed_share: Dial = (0.72, 0.6)
    duration: Dial = (2.4, 1.7)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        lanes = int(rng.integers(2, 4))
        own = int(rng.integers(lanes))
        make = places.straight if rng.random() < 0.6 else places.arterial
        stage = cruise(make(rng, lanes=lanes, lane=own), rng, 0.85)
        ahead = foresee(stage)
        # Lane 0 is leftmost, so a neighbour with a smaller number comes from the left.
        side = 1.0 if own == lanes - 1 or (own > 0 and rng.random() < 0.5) else -1.0
        begin = INITIAL_TIME + float(rng.uniform(0.0, 0.9))
        duration, speed = dial(self.duration, difficulty), ahead.speed * dial(self.speed_share, difficulty)
        size = stage.random_vehicle_size()
        front = 0.5 * (stage.vehicle.length + size[0])
        # At the start of the change it is `gap` metres ahead of where the ego would be.
        start = ahead.reached(begin) + front + dial(self.gap, difficulty) - speed * begin
        s = np.arange(0.0, polyline.arc_length(stage.line)[-1], 1.0)
        moved = smooth_step((s - (start + speed * begin)) / (speed * duration))
        path = beside_line(stage.line, s, side * LANE_WIDTH * (1.0 - moved))
        speeds = changing_speeds(speed, begin + duration, 2.0, 0.5 * speed)
        clear_ahead(stage, 45.0)
        clear_along(stage, path.poses[:, :2], start - 12.0, start + 60.0)
        stage.actors.append(
            Actor(AgentType.VEHICLE, size, track=script(path, start, speeds), hidden_until=begin + 0.2)
        )
        return stage
