"""A tractor with a trailer crawls around a bend behind which nobody expects it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.clock import INITIAL_TIME
from simengine.world.events.parameters import Dial, dial
from simengine.world.events.staging import aim, clear_ahead, cruise
from simengine.world.stage import Actor, Stage
from simengine.world.tracks import TIMES, path_along, script


@dataclass(frozen=True)
class SlowTractor:
    """A tractor with a trailer crawls around a bend behind which nobody expects it.

    Attributes:
        time: from the first decision to the conflict [s].
        speed: of the tractor [m/s].
        notice: when it is noticed, after the first decision [s].
    """

    time: Dial = (3.6, 2.4)
    speed: Dial = (4.5, 1.5)
    notice: Dial = (-0.2, 0.5)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.curve(rng, lanes=1, tightest=42.0)
        stage = cruise(place, rng, 0.85)
        size = (float(rng.uniform(5.0, 9.0)), float(rng.uniform(2.3, 2.55)), float(rng.uniform(2.8, 3.3)))
        speed, meet = dial(self.speed, difficulty), INITIAL_TIME + dial(self.time, difficulty)
        bend = float(polyline.arc_length(place.vector_map.lanes[place.route_lanes[1]].centerline)[-1])
        at = place.along(place.route_lanes[1]) + float(rng.uniform(0.1, 0.7)) * bend
        stage.ego_start = at - stage.ego_speed * meet
        meet = aim(stage, at, meet).time_at(at)
        start = at + 0.5 * (stage.vehicle.length + size[0]) - speed * meet
        track = script(path_along(stage.line, 30.0), start, np.full(len(TIMES), speed))
        stage.quiet |= {f"road{k}_b0" for k in range(3)}
        clear_ahead(stage, start - stage.ego_center + 30.0)
        hidden = INITIAL_TIME + dial(self.notice, difficulty)
        stage.actors.append(Actor(AgentType.VEHICLE, size, track=track, hidden_until=hidden, unnoticed=True))
        return stage
