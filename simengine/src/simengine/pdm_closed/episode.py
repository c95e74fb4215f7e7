"""The score of an executed episode with PDM-Closed as the measure of progress."""

from __future__ import annotations

from dataclasses import replace

from simengine.datatypes.record import RolloutRecord
from simengine.errors import MapQueryError
from simengine.metrics.episode import EpisodeScore, score_record
from simengine.metrics.pdm.from_scenario import Reference
from simengine.metrics.pdm.map_areas import DrivableMap
from simengine.metrics.pdm.parameters import WORLDENGINE_V1, parameters_of
from simengine.pdm_closed.reference import pdm_closed_reference
from simengine.scenario.scenario import Scenario

RATE = 0.1
"""PDM-Closed plans poses this far apart [s]."""


Yardstick = tuple[Reference | None, dict[str, str]]
"""Whose progress is full progress; None is the logged ego, and then a note says why, unless the mode wants it."""


def score_episode(
    record: RolloutRecord,
    scenario: Scenario,
    mode: str = "navsim_v1",
    yardstick: Yardstick | None = None,
    drivable: DrivableMap | None = None,
) -> EpisodeScore:
    """Return the score of an executed episode; see `score_record`.

    Args:
        record: the episode.
        scenario: the scenario it was driven in, at the rate of the record.
        mode: scoring mode.
        yardstick: `scenario_reference` of the scenario, for those who score it more than once.
        drivable: see `scene_of`; likewise.
    """
    reference, note = yardstick if yardstick is not None else episode_reference(record, scenario, mode)
    score = score_record(record, scenario, mode, reference, drivable)
    return replace(score, reasons=note | score.reasons)


def episode_reference(record: RolloutRecord, scenario: Scenario, mode: str) -> Yardstick:
    """Return what the progress of an episode is measured by."""
    return scenario_reference(scenario, mode, record.dt, len(record.ego_states))


def scenario_reference(scenario: Scenario, mode: str, dt: float, num_states: int) -> Yardstick:
    """Return PDM-Closed's drive from the first decision on, or None and a note why the logged ego has to do.

    Args:
        scenario: at the rate of the episodes.
        mode: scoring mode.
        dt: time between the states of an episode [s].
        num_states: of the longest episode, the first included.
    """
    if mode == WORLDENGINE_V1.mode:
        return None, {}
    if abs(dt - RATE) > 1e-9:
        return None, _note(f"PDM-Closed plans {RATE} s apart and the episode has frames {dt} s apart")
    try:
        reference = pdm_closed_reference(scenario, scoring=parameters_of(mode))
    except MapQueryError:
        return None, _note("the map has no usable route for PDM-Closed")
    if len(reference.states) < num_states:
        return None, _note(
            f"PDM-Closed drives {len(reference.states)} states and the episode has {num_states}"
        )
    return reference, {}


def _note(why: str) -> dict[str, str]:
    return {"ego_progress": f"{why}: measured against the logged ego"}
