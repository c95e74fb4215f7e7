"""The PDM score of one plan, measured against a reference driver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from simengine.datatypes.plan import Plan
from simengine.errors import MapQueryError
from simengine.metrics.blame import Blame
from simengine.metrics.episode import score_record
from simengine.metrics.open_loop.record import STEP, STEPS, open_loop_record
from simengine.metrics.pdm.from_scenario import Reference, logged_reference
from simengine.metrics.pdm.parameters import PdmParameters, parameters_of
from simengine.metrics.row import Row, row_of
from simengine.scenario.scenario import Scenario

MakeReference = Callable[[Scenario, int, PdmParameters], Reference]
"""Returns who drives from a frame on, to measure progress by in a mode; raises `MapQueryError` without a route."""


@dataclass(frozen=True)
class PlanScore:
    """The score of one plan.

    Attributes:
        row: of the score table.
        blames: every loss, most severe first.
    """

    row: Row
    blames: tuple[Blame, ...]


def score_plan(scenario: Scenario, plan: Plan, mode: str, make_reference: MakeReference) -> PlanScore:
    """Return the official open-loop score: a batch of the reference and the plan, tracked from the logged state.

    Args:
        scenario: log, map and route.
        plan: from the first decision on.
        mode: scoring mode.
        make_reference: PDM-Closed in NAVSIM.

    Raises:
        ScenarioFormatError: the log ends within 4 s.
    """
    parameters = parameters_of(mode)
    record = open_loop_record(scenario, plan, parameters)
    reference, note = find_reference(scenario, parameters, make_reference)
    score = score_record(record, scenario, mode, reference)
    score = replace(score, reasons=note | score.reasons)
    return PlanScore(row_of(record, score), score.blames)


def find_reference(
    scenario: Scenario, parameters: PdmParameters, make_reference: MakeReference
) -> tuple[Reference, dict[str, str]]:
    """Return the reference, the logged ego where the map has no usable route; then also a note about it."""
    frame = scenario.initial_frame
    try:
        return make_reference(scenario, frame, parameters), {}
    except MapQueryError:
        note = "the map has no usable route for PDM-Closed: measured against the logged drive"
        return logged_reference(scenario, frame, STEPS + 1, STEP), {"ego_progress": note}
