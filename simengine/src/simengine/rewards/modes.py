"""The modes of rewards: which scorer, which tracker, and whose progress is full progress."""

from __future__ import annotations

from dataclasses import dataclass

from simengine.dynamics.rules import TrackerRules
from simengine.errors import ConfigError
from simengine.metrics.pdm.parameters import (
    CORRECTED,
    NAVSIM_V1,
    WORLDENGINE_V1,
    WORLDENGINE_V1_DENSE,
    PdmParameters,
)
from simengine.metrics.pdm.ttc import look_ahead_frames
from simengine.pdm_closed.parameters import PdmClosedParameters, reference_parameters
from simengine.pdm_closed.planner import tracker_rules

DT = 0.1
"""Time between the states that are scored [s]."""

NUM_STATES = 41
"""Scored states, the present one included."""

VERSION = 1
"""Part of the key of every cached score; raise it whenever a change of any scorer changes numbers."""


@dataclass(frozen=True)
class RewardRules:
    """What a mode of rewards means.

    Attributes:
        mode: label written beside every score.
        scoring: rules of the scorer.
        reference: the PDM-Closed that is the progress reference.
        tracker: how a car tracks the entries of the vocabulary.
        published: whether everything else is as in the published dense rewards: the logged traffic at 2 Hz, an
            observation of the future for PDM-Closed, an ego without acceleration. docs/rewards.md lists it all.
    """

    mode: str
    scoring: PdmParameters
    reference: PdmClosedParameters
    tracker: TrackerRules
    published: bool = False

    @property
    def look_ahead(self) -> int:
        """Frames that time to collision looks ahead of the last scored state."""
        if self.scoring.ttc_whole_look_ahead:
            return 0
        return int(look_ahead_frames(DT, self.scoring)[-1])

    @property
    def num_frames(self) -> int:
        """Frames of the others that are met, the present one included."""
        return NUM_STATES + self.look_ahead


_SCORING = {
    NAVSIM_V1.mode: NAVSIM_V1,
    CORRECTED.mode: CORRECTED,
    WORLDENGINE_V1.mode: WORLDENGINE_V1_DENSE,
}
REWARD_MODES = tuple(_SCORING)


def reward_rules(mode: str) -> RewardRules:
    """Return the rules of a mode of rewards, or raise `ConfigError` for an unknown one."""
    if mode not in _SCORING:
        raise ConfigError(
            f"unknown mode of rewards {mode!r}, expected one of {', '.join(REWARD_MODES)}: fix the name"
        )
    scoring = _SCORING[mode]
    published = scoring is WORLDENGINE_V1_DENSE
    reference = reference_parameters(WORLDENGINE_V1 if published else scoring)
    return RewardRules(mode, scoring, reference, tracker_rules(scoring), published)
