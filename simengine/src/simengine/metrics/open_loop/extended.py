"""The extended PDM score (NAVSIM v2) of plans, one by one and in pairs of frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.blame import Blame, explain
from simengine.metrics.blame.extended import unlike_before
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, SUB_SCORES, epdms_score
from simengine.metrics.epdms.extended_comfort import extended_comfort, overlap_shift
from simengine.metrics.epdms.from_scenario import epdms_scene
from simengine.metrics.epdms.pairs import preceding_frames
from simengine.metrics.epdms.parameters import EpdmsParameters, epdms_parameters_of
from simengine.metrics.epdms.scorer import PreviousFrame
from simengine.metrics.open_loop.record import HORIZON, PROTOCOL, STEP, open_loop_record
from simengine.metrics.open_loop.score import MakeReference, find_reference
from simengine.metrics.row import NAN
from simengine.scenario.scenario import Scenario

SCORE_COLUMNS = (*SUB_SCORES, "score")


@dataclass(frozen=True)
class ExtendedRow:
    """Extended scores of one token; NaN where a value is not known. Sub-scores are those of NAVSIM v2.

    Attributes:
        token: scenario id.
        status: `ok`, or `failed` when no score could be made; then `error` says why.
        no_at_fault_collisions: 1, 0.5 or 0.
        drivable_area_compliance: 1 or 0.
        driving_direction_compliance: 1, 0.5 or 0.
        traffic_light_compliance: 1 or 0.
        ego_progress: in [0, 1].
        time_to_collision_within_bound: 1 or 0.
        lane_keeping: 1 or 0.
        history_comfort: 1 or 0.
        two_frame_extended_comfort: 1 or 0, NaN without a frame before.
        score: the extended score in [0, 1].
        blame: the most severe failure in words.
        reasons: why a value is missing or limited, by column.
        mode: scoring mode.
        protocol: how it was driven.
        traffic: `NR`.
        record_hash: content hash of the episode that was scored.
        error: one line, empty if `status` is `ok`.
    """

    token: str
    status: Literal["ok", "failed"]
    no_at_fault_collisions: float = NAN
    drivable_area_compliance: float = NAN
    driving_direction_compliance: float = NAN
    traffic_light_compliance: float = NAN
    ego_progress: float = NAN
    time_to_collision_within_bound: float = NAN
    lane_keeping: float = NAN
    history_comfort: float = NAN
    two_frame_extended_comfort: float = NAN
    score: float = NAN
    blame: str = ""
    reasons: dict[str, str] = field(default_factory=dict)
    mode: str = ""
    protocol: str = PROTOCOL
    traffic: str = "NR"
    record_hash: str = ""
    error: str = ""


@dataclass(frozen=True)
class ExtendedPlanScore:
    """The extended score of one plan, with what a pair of frames is scored by.

    Attributes:
        row: of the score table.
        blames: every loss, most severe first.
        states: (41, 11) of the car that tracks the plan.
        log: drive the frame belongs to.
        time: of the frame within the drive [s].
        vehicle: dimensions of the ego.
    """

    row: ExtendedRow
    blames: tuple[Blame, ...]
    states: np.ndarray
    log: str
    time: float
    vehicle: VehicleParams


def score_plan_extended(
    scenario: Scenario, plan: Plan, mode: str, make_reference: MakeReference
) -> ExtendedPlanScore:
    """Return the extended score of one plan, extended comfort not known yet; `in_pairs` adds it.

    Args:
        scenario: log, map and route.
        plan: from the first decision on.
        mode: of the extended score.
        make_reference: PDM-Closed in NAVSIM.

    Raises:
        ScenarioFormatError: the log ends within 4 s.
    """
    parameters = epdms_parameters_of(mode)
    record = open_loop_record(scenario, plan, parameters.pdm, observed=HORIZON)
    reference, note = find_reference(scenario, parameters.pdm, make_reference)
    scene = epdms_scene(scenario, record.agents, mode=mode, reference=reference, lights=record.lights)
    found = explain(record.ego_states, scene, reference)
    row = ExtendedRow(
        scenario.token,
        "ok",
        **found.values,
        score=found.score,
        blame=_first(found.blames),
        reasons={**note, **found.reasons},
        mode=mode,
        record_hash=record.content_hash(),
    )
    start = float(scenario.timestamps_us[scenario.initial_frame]) * 1e-6
    return ExtendedPlanScore(row, found.blames, record.ego_states, scenario.log_name, start, scenario.vehicle)


def in_pairs(scores: Iterable[ExtendedPlanScore], mode: str) -> list[ExtendedPlanScore]:
    """Return the scores with extended comfort where the same log has a frame about 0.5 s earlier among them."""
    scores, parameters = list(scores), epdms_parameters_of(mode)
    before = preceding_frames([one.log for one in scores], np.array([one.time for one in scores]), parameters)
    return [
        one if row < 0 else _after(one, scores[row], parameters)
        for one, row in zip(scores, before.tolist(), strict=True)
    ]


def _after(
    one: ExtendedPlanScore, previous: ExtendedPlanScore, parameters: EpdmsParameters
) -> ExtendedPlanScore:
    elapsed = one.time - previous.time
    shift = overlap_shift(elapsed, STEP, parameters)
    if shift is None:
        return one
    lever = one.vehicle.rear_axle_to_center
    alike = extended_comfort(
        one.states[None],
        previous.states,
        shift,
        rear_axle_to_center=lever,
        dt=STEP,
        parameters=parameters,
        threads=1,
    )
    values = {name: np.array([getattr(one.row, name)]) for name in SUB_SCORES} | {EXTENDED_COMFORT: alike}
    blames = one.blames
    if alike[0] < 1.0:
        frame = PreviousFrame(previous.states, elapsed)
        blames = (*blames, unlike_before(one.states, frame, STEP, lever, parameters))
    row = replace(
        one.row,
        two_frame_extended_comfort=float(alike[0]),
        score=float(epdms_score(values, parameters)[0]),
        reasons={name: why for name, why in one.row.reasons.items() if name != EXTENDED_COMFORT},
        blame=_first(blames),
    )
    return replace(one, row=row, blames=blames)


def _first(blames: tuple[Blame, ...]) -> str:
    graves = [blame for blame in blames if not blame.slight]
    return graves[0].sentence() if graves else ""
