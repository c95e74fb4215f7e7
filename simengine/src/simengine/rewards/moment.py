"""One instant at which a vocabulary is scored, with what is going to happen around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentStates, AgentTracks
from simengine.rewards.modes import DT


@dataclass(frozen=True)
class Moment:
    """An ego, and the others now and over the next seconds.

    Attributes:
        token: id of the scenario.
        step: number of the decision, 0 for the first one of an episode.
        time_us: time now, microseconds since 1970.
        ego: (11,) state of the ego, see `StateIndex`.
        tracks: the others from now on, 0.1 s apart; they are what the entries meet.
        seen: the others as PDM-Closed sees them.
        red_lanes: ids of the lanes that show red to PDM-Closed.
        missing: why this instant cannot be scored, "" if it can.
    """

    token: str
    step: int
    time_us: int
    ego: np.ndarray
    tracks: AgentTracks
    seen: AgentStates
    red_lanes: tuple[str, ...] = ()
    missing: str = ""


def log_ends_early(known: float, frames: int) -> str:
    """Return why an instant cannot be scored if the log ends before the last of `frames` frames, else "".

    Args:
        known: how long the log goes on [s].
        frames: how many frames 0.1 s apart are met, the present one included.
    """
    wanted = (frames - 1) * DT
    if known >= wanted - 1e-6:
        return ""
    return f"the log ends {known:.1f} s later, the score needs {wanted:.1f} s"
