"""A short acceleration lane beside a row of vehicles with hardly a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import add_stream, aim, clear_ahead, clear_along, joining_point
from simengine.world.places.highway import RAMP_LIMIT
from simengine.world.stage import Stage


@dataclass(frozen=True)
class ShortMerge:
    """A short acceleration lane beside a row of vehicles with hardly a gap.

    Attributes:
        time: from the first decision to the conflict [s].
        lane_length: of the acceleration lane [m].
        headway: between the vehicles on the highway [s].
        notice: when they are noticed, before the conflict [s].
    """

    time: Dial = (3.4, 2.3)
    lane_length: Dial = (110.0, 55.0)
    headway: Dial = (1.9, 1.3)
    notice: Dial = (3.0, 2.0)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.highway_merge(rng, ramp=True, acceleration_lane=dial(self.lane_length, difficulty))
        stage = Stage(place, rng, 1.0, RAMP_LIMIT * float(rng.uniform(0.85, 0.98)))
        right = place.facts["lanes"] - 1
        line = place.line_of(
            (
                f"main0_f{right}",
                f"main0_f{right}__main1_f{right}",
                f"main1_f{right}",
                f"main1_f{right}__main2_f{right}",
                f"main2_f{right}",
            )
        )
        # On the taper, where both are side by side.
        ego_s, other_s = joining_point(stage.line, line, 2.1)
        stage.ego_start = max(ego_s - stage.ego_speed * (INITIAL_TIME + dial(self.time, difficulty)), 1.0)
        ahead = aim(stage, ego_s, INITIAL_TIME + dial(self.time, difficulty))
        meet = ahead.time_at(ego_s)
        speed = ahead.speed * float(rng.uniform(0.96, 1.08))
        beside = other_s - speed * meet + float(rng.uniform(0.0, 2.5))
        hidden = meet - dial(self.notice, difficulty)
        step = max(dial(self.headway, difficulty) * speed, 10.0)
        add_stream(stage, line, beside, speed, (-step, step, 2.0 * step), hidden)
        stage.quiet |= {f"main{k}_f{right}" for k in range(3)} | {f"main1_f{right + 1}"}
        clear_ahead(stage, 80.0)
        clear_along(stage, line, 0.0, other_s + 60.0)
        return stage
