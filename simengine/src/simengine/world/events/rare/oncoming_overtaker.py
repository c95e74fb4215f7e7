"""An oncoming vehicle overtakes a slow one and comes back to its lane late."""

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
from simengine.world.tracks import TIMES, smooth_step

LIMITS = (11.2, 13.4)


@dataclass(frozen=True)
class OncomingOvertaker:
    """An oncoming vehicle overtakes a slow one and comes back to its lane late.

    Attributes:
        time: from the first decision to the meeting [s].
        notice: when it pulls out, before the meeting [s].
        late: how much too late it is back in its lane [s].
    """

    time: Dial = (3.4, 2.4)
    notice: Dial = (2.8, 2.1)
    late: Dial = (0.8, 1.1)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        stage = cruise(places.straight(rng, lanes=1, lane=0, limits=LIMITS), rng, 0.8)
        ahead = foresee(stage)
        meet = INITIAL_TIME + dial(self.time, difficulty)
        speed, slow = ahead.speed * float(rng.uniform(0.8, 0.95)), float(rng.uniform(1.5, 2.5))
        out, back = meet - dial(self.notice, difficulty), meet + dial(self.late, difficulty)
        size, slow_size = stage.random_vehicle_size(trucks=False), (5.6, 2.3, 2.9)
        s = ahead.reached(meet) + 0.5 * (stage.vehicle.length + size[0]) - speed * (TIMES - meet)
        beside = LANE_WIDTH * (
            1.0 - smooth_step((TIMES - out) / 1.3) + smooth_step((TIMES - back + 1.2) / 1.2)
        )
        # Half way between leaving and regaining its lane it is level with the slow one.
        level = 0.5 * (out + 1.3 + back - 1.2)
        slow_s = np.interp(level, TIMES, s) - slow * (TIMES - level)
        track = _oncoming(stage.line, s, beside)
        stage.actors.append(Actor(AgentType.VEHICLE, size, track=track, hidden_until=out + 0.2))
        lane = np.full(len(TIMES), LANE_WIDTH + 0.3)
        stage.actors.append(
            Actor(AgentType.VEHICLE, slow_size, track=_oncoming(stage.line, slow_s, lane), plays=True)
        )
        clear_ahead(stage, 60.0)
        clear_along(stage, track[:, :2], 0.0, 80.0, 7.0)
        for point in _oncoming(stage.line, np.arange(float(s.min()), float(s.max()) + 12.0, 4.0), LANE_WIDTH):
            stage.keep_clear.append((point[:2], 4.5))
        return stage


def _oncoming(line: np.ndarray, s: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
    """Poses (T, 3) at arc lengths `s` (T,) and lateral offsets of `line`, driven against it."""
    base = polyline.sample(line, s)
    xy = base[:, :2] + np.broadcast_to(offset, s.shape)[:, None] * np.column_stack(
        [-np.sin(base[:, 2]), np.cos(base[:, 2])]
    )
    return np.column_stack([xy, np.unwrap(polyline.headings(xy))])
