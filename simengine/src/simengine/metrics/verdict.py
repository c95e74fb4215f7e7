"""Everything that can be said about the score of one recorded episode, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from simengine.datatypes.record import RolloutRecord
from simengine.metrics.blame import Blame, explain
from simengine.metrics.blame.timeline import Moment, timeline
from simengine.metrics.epdms.from_scenario import epdms_scene
from simengine.metrics.epdms.parameters import MODES as EXTENDED_MODES
from simengine.metrics.episode import SUB_SCORES, score_record
from simengine.metrics.pdm.from_scenario import Reference, logged_reference, scene_of
from simengine.metrics.pdm.parameters import parameters_of
from simengine.scenario.scenario import Scenario


@dataclass(frozen=True)
class Verdict:
    """The score of one episode and how it came about.

    Attributes:
        token: scenario id.
        mode: scoring mode.
        values: sub-scores by name, NaN where not known.
        score: the total, NaN if not known.
        reasons: why a value is missing or limited, by name.
        blames: every loss, most severe first.
        moments: what happened when.
    """

    token: str
    mode: str
    values: Mapping[str, float]
    score: float
    reasons: Mapping[str, str]
    blames: tuple[Blame, ...]
    moments: tuple[Moment, ...]

    def why(self, name: str) -> list[str]:
        """Return in words why a sub-score is what it is; nothing if it is full."""
        lost = [f"{blame.sentence()}: {blame.account}" for blame in self.blames if blame.sub_score == name]
        return lost + ([self.reasons[name]] if name in self.reasons else [])

    def to_json(self) -> dict:
        """Return everything as JSON values; what is not known is None."""
        return {
            "token": self.token,
            "mode": self.mode,
            "score": _known(self.score),
            "sub_scores": {name: _known(value) for name, value in self.values.items()},
            "reasons": dict(self.reasons),
            "blames": [blame.to_json() for blame in self.blames],
            "timeline": [{"time": moment.time, "text": moment.text} for moment in self.moments],
        }


def judge(
    record: RolloutRecord, scenario: Scenario, mode: str, reference: Reference | None = None
) -> Verdict:
    """Return the verdict on an executed episode.

    Args:
        record: the episode; its frame 0 is `scenario.initial_frame`.
        scenario: the scenario it was driven in.
        mode: of the PDM score or of the extended one.
        reference: see `score_record`; left out, it is the logged ego.
    """
    if mode in EXTENDED_MODES:
        return _judge_extended(record, scenario, mode, reference or _logged(record, scenario))
    score = score_record(record, scenario, mode, reference)
    reference = reference or _logged(record, scenario)
    scene = scene_of(scenario, record.agents, record.ego_states[0], reference, record.dt, parameters_of(mode))
    drive = explain(record.ego_states, scene).drive
    return Verdict(
        record.token,
        mode,
        {name: getattr(score, name) for name in SUB_SCORES},
        score.score,
        score.reasons,
        score.blames,
        tuple(timeline(drive, score.blames)),
    )


def _judge_extended(record: RolloutRecord, scenario: Scenario, mode: str, reference: Reference) -> Verdict:
    scene = epdms_scene(
        scenario,
        record.agents,
        mode=mode,
        num_states=len(record.ego_states),
        dt=record.dt,
        reference=reference,
        lights=record.lights,
    )
    found = explain(record.ego_states, scene, reference)
    moments = tuple(timeline(found.drive, found.blames))
    return Verdict(record.token, mode, found.values, found.score, found.reasons, found.blames, moments)


def _logged(record: RolloutRecord, scenario: Scenario) -> Reference:
    return logged_reference(scenario, scenario.initial_frame, len(record.ego_states), record.dt)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
