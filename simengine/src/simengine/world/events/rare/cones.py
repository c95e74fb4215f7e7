"""A taper of cones and a barrier close part of the lane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.roads import LANE_WIDTH
from simengine.world.stage import SIZES, Actor, Stage
from simengine.world.tracks import stand

TAPER = 6


@dataclass(frozen=True)
class Cones:
    """A taper of cones and a barrier close part of the lane.

    Attributes:
        time: from the first decision to the conflict [s].
        depth: of the lane that is closed [m].
        notice: when they are noticed, after the first decision [s].
    """

    time: Dial = (3.4, 2.1)
    depth: Dial = (1.2, 2.2)
    notice: Dial = (-0.6, 0.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1), rng, 0.8)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        first = foresee(stage).reached(meet) + 0.5 * stage.vehicle.length - 6.0
        depth, edge = dial(self.depth, difficulty), -0.5 * LANE_WIDTH
        hidden = INITIAL_TIME + dial(self.notice, difficulty)
        for k in range(TAPER + 5):
            reach = min(k / (TAPER - 1), 1.0) * depth
            pose = stage.beside(first + 2.6 * k, edge + reach, float(rng.uniform(-0.3, 0.3)))
            stage.actors.append(_object(AgentType.TRAFFIC_CONE, pose, hidden))
        behind = stage.beside(first + 2.6 * (TAPER + 0.5), edge + depth - 1.2, 0.5 * np.pi)
        stage.actors.append(_object(AgentType.BARRIER, behind, hidden))
        clear_ahead(stage, 60.0)
        return stage


def _object(kind: AgentType, pose: np.ndarray, hidden: float) -> Actor:
    return Actor(kind, SIZES[kind], track=stand(pose), hidden_until=hidden)
