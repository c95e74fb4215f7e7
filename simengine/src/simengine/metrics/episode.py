"""The score of one closed-loop episode, and which part of it failed first."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.check import require_finite
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ScenarioFormatError
from simengine.metrics.blame import Blame, Drive, blames_of
from simengine.metrics.pdm.aggregate import pdm_score
from simengine.metrics.pdm.comfort import MINIMUM_STATES
from simengine.metrics.pdm.from_scenario import Reference, logged_reference, scene_of
from simengine.metrics.pdm.map_areas import LANE_LAYERS, DrivableMap
from simengine.metrics.pdm.parameters import WORLDENGINE_V1, PdmParameters, parameters_of
from simengine.metrics.pdm.progress import ego_progress
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch, score_batch
from simengine.metrics.published import published_episode
from simengine.scenario.scenario import Scenario

PUBLISHED = WORLDENGINE_V1.mode
SUB_SCORES = (
    "no_at_fault_collisions",
    "drivable_area_compliance",
    "ego_progress",
    "time_to_collision_within_bound",
    "comfort",
    "driving_direction_compliance",
)


@dataclass(frozen=True)
class EpisodeScore:
    """Sub-scores of one episode, each in [0, 1] or NaN with a reason.

    Attributes:
        no_at_fault_collisions: 1, 0.5 after hitting an object, 0 after hitting a road user.
        drivable_area_compliance: 1 or 0.
        ego_progress: share of the reference's progress.
        time_to_collision_within_bound: 1 or 0.
        comfort: 1 or 0.
        driving_direction_compliance: 1, 0.5 or 0; has weight 0.
        score: the PDM score.
        success: no at-fault collision and never off the drivable area; without a drivable area in the
            map it is decided by collisions alone, and `reasons["success"]` says so.
        reasons: why a value is missing or limited, by name.
        first_violation_time: of the first at-fault collision or departure from the drivable area, after
            the first decision [s]; NaN without one. In `worldengine_v1` hitting an object is none.
        first_violation_step: the same as a frame at 2 Hz where the first decision is frame 3, -1 without.
        blames: every sub-score that lost points, most severe first.
        mode: scoring mode.
    """

    no_at_fault_collisions: float
    drivable_area_compliance: float
    ego_progress: float
    time_to_collision_within_bound: float
    comfort: float
    driving_direction_compliance: float
    score: float
    success: bool
    reasons: dict[str, str] = field(default_factory=dict)
    first_violation_time: float = float("nan")
    first_violation_step: int = -1
    blames: tuple[Blame, ...] = ()
    mode: str = "navsim_v1"

    @property
    def blame(self) -> str:
        """The most severe failure in words, "" if nothing failed; a little less progress is no failure."""
        return self.blames[0].sentence() if self.blames and not self.blames[0].slight else ""


def score_record(
    record: RolloutRecord,
    scenario: Scenario,
    mode: str = "navsim_v1",
    reference: Reference | None = None,
    drivable: DrivableMap | None = None,
) -> EpisodeScore:
    """Return the score of an executed episode.

    Args:
        record: the episode; its frame 0 is `scenario.initial_frame`.
        scenario: the scenario it was driven in.
        mode: scoring mode; `worldengine_v1` looks at every half second only and has its own reference.
        reference: whose progress is full progress, and along which line. A planner's drive is scored like the
            ego's, and counts only as far as it stays free of collisions and on the road. Left out, it is the
            logged ego, whose progress counts whole: its log was not driven among these agents.
        drivable: see `scene_of`; `worldengine_v1` has its own.
    """
    parameters = parameters_of(mode)
    states = np.asarray(record.ego_states, dtype=np.float64)
    require_finite(f"ego_states of record {record.token}", states)
    _check_frames(record)
    reasons: dict[str, str] = {}
    if reference is None or parameters.mode == PUBLISHED:
        reference = logged_reference(scenario, scenario.initial_frame, len(states), record.dt)
    if parameters.mode == PUBLISHED:
        batch, scene = published_episode(record, scenario, parameters)
    else:
        scene = scene_of(scenario, record.agents, states[0], reference, record.dt, parameters, drivable)
        batch = np.stack([_as_long_as(states, reference, reasons), states])
    result = score_batch(batch, scene)
    values = _values(result, scene, reasons, mask_reference=reference.source != "logged_ego")
    _explain_missing(values, scenario=scenario, scene=scene, num_states=batch.shape[1], reasons=reasons)
    return _assemble(values, Drive(batch[1], scene, result, source=reference.source), reasons)


def _as_long_as(states: np.ndarray, reference: Reference, reasons: dict[str, str]) -> np.ndarray:
    driven = reference.states
    if len(driven) >= len(states):
        return driven[: len(states)]
    reasons["ego_progress"] = f"the reference covers {len(driven)} of {len(states)} frames"
    return states


def _check_frames(record: RolloutRecord) -> None:
    num_states, num_frames = len(record.ego_states), record.agents.num_frames
    if num_states < 2 or num_frames < num_states:
        raise ScenarioFormatError(
            f"record {record.token} has {num_states} ego states and {num_frames} agent frames, expected at "
            "least 2 states and as many agent frames: re-run the scenario"
        )


def _values(
    result: PdmBatch, scene: PdmScene, reasons: dict[str, str], mask_reference: bool
) -> dict[str, float]:
    known = result.no_at_fault_collisions.copy()
    if _drivable_known(scene.drivable):
        known = known * result.drivable_area_compliance
    if not mask_reference:
        known[0] = 1.0
    values = {name: float(getattr(result, name)[1]) for name in SUB_SCORES}
    values["ego_progress"] = float(ego_progress(result.raw_progress, known, scene.parameters)[1])
    if "ego_progress" in reasons:
        values["ego_progress"] = float("nan")
    return values


def _drivable_known(drivable: DrivableMap) -> bool:
    return drivable.has(*drivable.drivable_layers)


def _explain_missing(
    values: dict[str, float],
    *,
    scenario: Scenario,
    scene: PdmScene,
    num_states: int,
    reasons: dict[str, str],
) -> None:
    drivable, lanes = scene.drivable, scene.route_lanes
    source = (
        "the scenario has no map" if scenario.map.is_empty else "the map has no drivable area near the ego"
    )
    if not _drivable_known(drivable):
        reasons["drivable_area_compliance"] = source
    if not drivable.has(*LANE_LAYERS):
        no_lanes = (
            "the scenario has no map"
            if scenario.map.is_empty
            else "the map has no lane polygons near the ego"
        )
        reasons["driving_direction_compliance"] = no_lanes
    elif not lanes:
        reasons["driving_direction_compliance"] = "the scenario has no usable route"
    if num_states < MINIMUM_STATES:
        reasons["comfort"] = f"the episode has {num_states} states, comfort needs {MINIMUM_STATES}"
    for name in reasons:
        values[name] = float("nan")


def _assemble(
    values: dict[str, float],
    drive: Drive,
    reasons: dict[str, str],
) -> EpisodeScore:
    result, scene = drive.batch, drive.scene
    parameters = scene.parameters
    score = _score(values, parameters)
    if np.isnan(score):
        missing = [
            name for name in SUB_SCORES if np.isnan(values[name]) and name != "driving_direction_compliance"
        ]
        reasons["score"] = f"not known without {', '.join(missing)}"
    on_road = values["drivable_area_compliance"]
    if np.isnan(on_road):
        reasons["success"] = "decided by collisions alone, drivable area unknown"
    success = values["no_at_fault_collisions"] == 1.0 and on_road != 0.0
    hit = values["no_at_fault_collisions"] == 0.0 or parameters.mode != PUBLISHED
    frame = min(
        result.collisions.first_frame[1] if hit else np.inf,
        result.first_off_road[1] if on_road == 0.0 else np.inf,
    )
    time = round(float(frame * scene.dt), 6) if np.isfinite(frame) else float("nan")
    # The original looks at every 0.5 s after three history frames; a violation shows at the next look.
    step = 3 + int(np.ceil(time / 0.5 - 1e-6)) if np.isfinite(frame) else -1
    return EpisodeScore(
        **values,
        score=score,
        success=bool(success),
        reasons=reasons,
        first_violation_time=time,
        first_violation_step=step,
        blames=blames_of(values, drive),
        mode=parameters.mode,
    )


def _score(values: dict[str, float], parameters: PdmParameters) -> float:
    v = {name: np.array([value]) for name, value in values.items()}
    multiplier = v["no_at_fault_collisions"] * v["drivable_area_compliance"]
    return float(
        pdm_score(
            multiplier,
            progress=v["ego_progress"],
            ttc=v["time_to_collision_within_bound"],
            comfort=v["comfort"],
            direction=v["driving_direction_compliance"],
            parameters=parameters,
        )[0]
    )
