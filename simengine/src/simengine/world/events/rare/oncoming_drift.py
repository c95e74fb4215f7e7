"""An oncoming vehicle drifts over the centre line into the ego's lane and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.agents.paths import make_path
from simengine.datatypes.agents import AgentType
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.drive import foresee
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import clear_ahead, clear_along, cruise
from simengine.world.roads import LANE_WIDTH
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES, beside_line, script


@dataclass(frozen=True)
class OncomingDrift:
    """An oncoming vehicle drifts over the centre line into the ego's lane and back.

    Attributes:
        time: from the first decision to the meeting [s].
        intrusion: how far it comes over [m].
        notice: when it is noticed, before the meeting [s].
    """

    time: Dial = (3.3, 2.6)
    intrusion: Dial = (1.8, 2.3)
    notice: Dial = (2.8, 2.2)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(places.straight(rng, lanes=int(rng.integers(1, 3)), lane=0), rng)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        ahead = foresee(stage)
        speed = ahead.speed * float(rng.uniform(0.6, 0.9))
        at = ahead.reached(meet)
        s = np.arange(0.0, at + speed * meet + 40.0, 1.0)
        # Measured along the ego line, it comes from far ahead and drifts for about 35 m before the meeting.
        bump = np.exp(-(((s - at) / 14.0) ** 2))
        path = beside_line(stage.line, s, LANE_WIDTH - dial(self.intrusion, difficulty) * bump)
        reverse = make_path((path.poses + [0.0, 0.0, np.pi])[::-1], 30.0)
        start = reverse.length - (at + speed * meet) * reverse.length / s[-1]
        clear_along(stage, reverse.poses[:, :2], start - 140.0, start + 12.0, 4.5)
        clear_ahead(stage, 45.0)
        stage.actors.append(
            Actor(
                AgentType.VEHICLE,
                stage.random_vehicle_size(trucks=False),
                track=script(reverse, start, np.full(len(TIMES), speed)),
                hidden_until=meet - dial(self.notice, difficulty),
            )
        )
        return stage
