"""Someone opens the door of a parked car and gets out."""

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
from simengine.world.tracks import TIMES, smooth_step, stand

SLOW_LIMITS = (8.9, 11.2)
DOOR = (1.05, 0.12, 1.3)


@dataclass(frozen=True)
class DoorZone:
    """Someone opens the door of a parked car and gets out.

    Attributes:
        time: from the first decision to the conflict [s].
        notice: when the door begins to open, before the conflict [s].
        angle: by which it opens [rad].
    """

    time: Dial = (3.4, 2.6)
    notice: Dial = (2.5, 2.0)
    angle: Dial = (0.9, 1.25)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        narrow = rng.random() < 0.6
        place = (
            places.narrow(rng)
            if narrow
            else places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1, limits=SLOW_LIMITS)
        )
        stage = cruise(place, rng, 0.8)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        opens = meet - dial(self.notice, difficulty)
        # Where the door reaches farthest into the lane.
        at = foresee(stage).reached(meet) + 0.5 * stage.vehicle.length
        size = stage.random_vehicle_size(trucks=False)
        side = -0.5 * own_road(stage).lane_width - float(rng.uniform(0.05, 0.2))
        car = stage.beside(at - 0.3, side - 0.5 * size[1])
        stage.actors.append(Actor(AgentType.VEHICLE, size, track=stand(car)))
        angle = dial(self.angle, difficulty) * smooth_step((TIMES - opens) / 0.9)
        hinge = stage.beside(at + 0.5, side + 0.12)
        yaw = hinge[2] + np.pi - angle
        xy = hinge[:2] + 0.5 * DOOR[0] * np.column_stack([np.cos(yaw), np.sin(yaw)])
        track = np.column_stack([xy, yaw])
        stage.actors.append(
            Actor(
                AgentType.GENERIC_OBJECT,
                DOOR,
                track=track,
                hidden_until=opens + 0.2,
                appears=opens,
                unnoticed=True,
            )
        )
        person = stage.beside(at - 0.7, side + 0.45)
        stage.actors.append(
            Actor(
                AgentType.PEDESTRIAN,
                SIZES[AgentType.PEDESTRIAN],
                track=stand(person),
                hidden_until=opens + 0.9,
                appears=opens + 0.9,
                unnoticed=True,
            )
        )
        clear_ahead(stage, at - stage.ego_center + 8.0)
        stage.keep_clear.append((car[:2], 7.5))
        return stage
