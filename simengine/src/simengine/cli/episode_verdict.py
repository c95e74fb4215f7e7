"""The verdict on a recorded episode, measured against the same driver as in the run."""

from __future__ import annotations

from dataclasses import replace

from simengine.datatypes.record import RolloutRecord
from simengine.errors import MapQueryError
from simengine.metrics.epdms.parameters import MODES as EXTENDED_MODES
from simengine.metrics.pdm.from_scenario import Reference
from simengine.metrics.verdict import Verdict, judge
from simengine.pdm_closed.episode import RATE, episode_reference
from simengine.pdm_closed.extended_reference import extended_reference
from simengine.scenario.scenario import Scenario


def episode_verdict(record: RolloutRecord, scenario: Scenario, mode: str) -> Verdict:
    """Return the verdict on an executed episode, progress measured against PDM-Closed where it can drive.

    Args:
        record: the episode.
        scenario: the scenario it was driven in, at the rate of the record.
        mode: of the PDM score or of the extended one.
    """
    find = _extended if mode in EXTENDED_MODES else episode_reference
    reference, note = find(record, scenario, mode)
    verdict = judge(record, scenario, mode, reference)
    return replace(verdict, reasons=note | dict(verdict.reasons))


def _extended(
    record: RolloutRecord, scenario: Scenario, mode: str
) -> tuple[Reference | None, dict[str, str]]:
    why = "PDM-Closed does not drive at the rate or for the length of the episode"
    if abs(record.dt - RATE) < 1e-9:
        try:
            reference = extended_reference(scenario, scenario.initial_frame, EXTENDED_MODES[mode].pdm)
            if len(reference.states) >= len(record.ego_states):
                return reference, {}
        except MapQueryError:
            why = "the map has no usable route for PDM-Closed"
    return None, {"ego_progress": f"{why}: measured against the logged ego"}
