"""The interface of traffic, and traffic that repeats its log.

A traffic model is a pure function of the state: every agent decides from the same frame, so the result
does not depend on the order of agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.state import AgentFrame, SimState
from simengine.scenario.scenario import Scenario


@dataclass(frozen=True)
class Forecast:
    """Where all agents are expected to be, the present first.

    Attributes:
        pose: (A, H, 3) box centres in world.
        velocity: (A, H, 2) in world axes [m/s].
        present: (A, H) bool.
    """

    pose: np.ndarray
    velocity: np.ndarray
    present: np.ndarray


class TrafficModel(Protocol):
    """All road users but the ego."""

    def step(self, state: SimState) -> AgentFrame:
        """Return the agents one frame after `state`."""
        ...

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return where the agents will probably be at `state` and the `steps` frames after it."""
        ...


class LogReplay:
    """Traffic that repeats its log whatever the ego does (`NR`)."""

    def __init__(self, scenario: Scenario) -> None:
        self._log = scenario.agents

    def step(self, state: SimState) -> AgentFrame:
        """Return the logged agents one frame after `state`; nobody exists after the end of the log."""
        return logged_frame(self._log, state.frame + 1)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return the logged future."""
        return logged_future(self._log, state.frame, steps)


def logged_frame(log: AgentTracks, frame: int) -> AgentFrame:
    """Return the agents of a log at one frame; rows that are not present hold zeros."""
    if frame >= log.num_frames:
        a = log.num_agents
        return AgentFrame(np.zeros((a, 3)), np.zeros((a, 2)), np.zeros(a, bool))
    return AgentFrame(log.pose[:, frame].copy(), log.velocity[:, frame].copy(), log.valid[:, frame].copy())


def logged_future(log: AgentTracks, frame: int, steps: int) -> Forecast:
    """Return the frames `frame` to `frame + steps` of a log; absent after its end."""
    index = np.arange(frame, frame + steps + 1)
    inside = index < log.num_frames
    at = np.minimum(index, log.num_frames - 1)
    return Forecast(log.pose[:, at], log.velocity[:, at], log.valid[:, at] & inside)
