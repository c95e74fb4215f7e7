"""A cyclist beside the lane swerves into it just before the ego passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import DT, INITIAL_TIME, NUM_FRAMES
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.roads import LANE_WIDTH
from simengine.world.stage import SIZES, Actor, Stage
from simengine.world.tracks import TIMES, beside_line, script, smooth_step

SLOW_LIMITS = (8.9, 11.2)


@dataclass(frozen=True)
class CyclistSwerve:
    """A cyclist beside the lane swerves into it just before the ego passes.

    Attributes:
        time: from the first decision to when the ego would pass [s].
        warning: when the swerve begins, before that [s].
        duration: of the swerve [s].
    """

    time: Dial = (3.6, 2.8)
    warning: Dial = (2.5, 2.1)
    duration: Dial = (1.8, 1.4)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.straight(rng, lanes=int(rng.integers(1, 3)), lane=-1, limits=SLOW_LIMITS)
        stage = cruise(place, rng, 0.8)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        speed = float(rng.uniform(3.0, 5.0))
        at = foresee(stage).reached(meet) + 0.5 * stage.vehicle.length + 0.5
        start = at - speed * meet
        shoulder = -0.5 * LANE_WIDTH - 1.0
        begin = meet - dial(self.warning, difficulty)
        s = start + np.arange(0.0, speed * (NUM_FRAMES * DT + 1.0), 0.5)
        moved = smooth_step((s - start - speed * begin) / (speed * dial(self.duration, difficulty)))
        path = beside_line(stage.line, s, shoulder + (float(rng.uniform(-0.4, 0.4)) - shoulder) * moved)
        stage.keep_clear += [(stage.beside(start + d, shoulder)[:2], 4.5) for d in range(-6, 60, 4)]
        clear_ahead(stage, 50.0)
        track = script(path, 0.0, np.full(len(TIMES), speed))
        stage.actors.append(
            Actor(AgentType.CYCLIST, SIZES[AgentType.CYCLIST], track=track, hidden_until=begin)
        )
        return stage
