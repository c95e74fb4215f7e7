"""The state of a running simulation, and what moves in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AgentFrame:
    """All tracks of a scenario at one frame; rows are those of `Scenario.agents`.

    Attributes:
        pose: (A, 3) box centres in the world frame [m, m, rad].
        velocity: (A, 2) in world axes [m/s].
        present: (A,) bool; rows that are not present mean nothing.
    """

    pose: np.ndarray
    velocity: np.ndarray
    present: np.ndarray


@dataclass(frozen=True)
class SimState:
    """Everything that is true at one frame of a simulation; only `Simulation.step` makes the next.

    Attributes:
        frame: index into the frames of the scenario at the simulation rate.
        timestamp_us: time of this frame.
        ego: (11,) state vector, see `StateIndex`.
        agents: all other road users at this frame.
        ego_trail: (frame + 1, 11) ego states from frame 0 up to this one.
        agent_trail: agents at each frame from the first decision up to this one.
    """

    frame: int
    timestamp_us: int
    ego: np.ndarray
    agents: AgentFrame
    ego_trail: np.ndarray
    agent_trail: tuple[AgentFrame, ...] = ()
