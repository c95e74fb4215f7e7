"""Someone at a crosswalk: waiting on the kerb, or crossing with time enough for the ego to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.geometry import polyline
from simengine.world import places
from simengine.world.events.parameters import Span, draw
from simengine.world.events.staging import clear_ahead, cruise
from simengine.world.stage import SIZES, Actor, Stage
from simengine.world.tracks import stand, walk


@dataclass(frozen=True)
class Crosswalk:
    """Someone at a crosswalk: waiting on the kerb, or crossing with time enough for the ego to stop.

    Attributes:
        time: until the ego would be there [s].
        walking_speed: [m/s].
    """

    time: Span = (3.6, 5.5)
    walking_speed: Span = (1.3, 1.8)

    def stage(self, rng: np.random.Generator, difficulty: float) -> Stage:
        """See `Event.stage`."""
        place = places.straight(rng, lanes=int(rng.integers(1, 3)))
        stage = cruise(place, rng, 0.7)
        road, s = place.roads[place.crosswalks[0][0]], place.crosswalks[0][1]
        at = polyline.arc_length(place.roads["road0"].line)[-1] + s
        waits = bool(rng.integers(2))
        time = draw(self.time, rng)
        stage.ego_start = at - 4.0 - stage.ego_speed * time
        centre = polyline.sample(road.line, s + rng.uniform(-0.8, 0.8))
        left = np.array([-np.sin(centre[2]), np.cos(centre[2])])
        # Beyond the shoulder on either side; whoever waits stands on the walkway.
        right_side = centre[:2] + road.kerb("right", 0.7) * left
        left_side = centre[:2] + road.kerb("left", 0.7) * left
        clear_ahead(stage, stage.ego_speed * time + 6.0)
        stage.facts["pedestrian"] = "waits" if waits else "crosses"
        if waits:
            track = stand(np.append(right_side, centre[2] + 0.5 * np.pi))
        else:
            path = np.stack([right_side, left_side] if rng.random() < 0.6 else [left_side, right_side])
            track = walk(path, draw(self.walking_speed, rng), float(rng.uniform(0.0, 1.0)))
        stage.actors.append(Actor(AgentType.PEDESTRIAN, SIZES[AgentType.PEDESTRIAN], track=track))
        return stage
