"""What the expert may know of an event before its time."""

from __future__ import annotations

import numpy as np

from simengine.agents.traffic import Forecast, TrafficModel
from simengine.datatypes.state import AgentFrame, SimState
from simengine.world.clock import DT
from simengine.world.stage import Actor


class Surprise:
    """Traffic whose scripted actors are not foreseen before their time.

    Until then standing ones are not noticed and moving ones are expected to go straight on: the expert
    then has to react, like everybody else, instead of having slowed down long before.
    """

    def __init__(self, traffic: TrafficModel, actors: list[Actor]) -> None:
        self._traffic = traffic
        self._until = np.array([actor.hidden_until for actor in actors])
        self._unnoticed = np.array([actor.unnoticed for actor in actors], bool)

    def step(self, state: SimState) -> AgentFrame:
        """See `TrafficModel.step`."""
        return self._traffic.step(state)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """See `TrafficModel.forecast`."""
        known = self._traffic.forecast(state, steps)
        hidden = np.flatnonzero(state.frame * DT < self._until)
        if not len(hidden):
            return known
        pose, velocity, present = known.pose.copy(), known.velocity.copy(), known.present.copy()
        time = DT * np.arange(steps + 1)
        now = known.velocity[hidden, :1]
        pose[hidden] = known.pose[hidden, :1]
        pose[hidden, :, :2] += time[None, :, None] * now
        velocity[hidden] = now
        present[hidden] &= (np.linalg.norm(now, axis=2) > 0.1) & ~self._unnoticed[hidden, None]
        return Forecast(pose, velocity, present)
