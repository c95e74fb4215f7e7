"""Corrections of what the planner is told: each undoes one way of misreading an observation."""

from __future__ import annotations

from dataclasses import dataclass, replace

from algengine.doctor.corrections import MAY_LEAVE
from algengine.doctor.finding import Level
from algengine.doctor.show import Change
from simengine.datatypes.observation import Observation


@dataclass(frozen=True)
class InputCorrection:
    """One way of misreading, and what makes up for it.

    Attributes:
        mistake: id of the mistake.
        meaning: the mistake in words.
        where: where to look for it.
        change: of the observation, after which a planner with this mistake reads it rightly.
        level: of a finding.
        may_leave: share of the cost that it may leave to be believed.
    """

    mistake: str
    meaning: str
    where: str
    change: Change
    level: Level = "error"
    may_leave: float = MAY_LEAVE


def input_corrections() -> list[InputCorrection]:
    """Return the corrections of ego histories."""
    return [
        InputCorrection(
            "history-reversed",
            "histories are read newest first; they run from oldest to the present",
            "where ego_history, velocity_history and command_history are read",
            _reversed_histories,
        )
    ]


def _reversed_histories(observation: Observation) -> Observation:
    return replace(
        observation,
        ego_history=observation.ego_history[::-1].copy(),
        velocity_history=observation.velocity_history[::-1].copy(),
        acceleration_history=observation.acceleration_history[::-1].copy(),
        command_history=observation.command_history[::-1].copy(),
        history_valid=observation.history_valid[::-1].copy(),
    )
