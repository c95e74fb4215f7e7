"""All sub-scores of the extended PDM score for a batch of ego state sequences in one scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from simengine.datatypes.check import require_shape
from simengine.datatypes.ego import STATE_SIZE
from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, SUB_SCORES, epdms_score, multiplier_of
from simengine.metrics.epdms.direction import direction_compliance_off_crossings
from simengine.metrics.epdms.extended_comfort import extended_comfort, overlap_shift
from simengine.metrics.epdms.history_comfort import history_comfort
from simengine.metrics.epdms.human_filter import excuse
from simengine.metrics.epdms.lane_keeping import lane_keeping
from simengine.metrics.epdms.lights import traffic_light_compliance
from simengine.metrics.epdms.progress import extended_progress
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.pdm.ego_geometry import ego_geometry
from simengine.metrics.pdm.scorer import PdmBatch, score_batch


@dataclass(frozen=True)
class PreviousFrame:
    """The plans of the frame before.

    Attributes:
        states: (P, S, 11) or (S, 11) states simulated from them, each row the predecessor of the same row.
        elapsed: time between the two frames [s].
    """

    states: np.ndarray
    elapsed: float = 0.5


@dataclass(frozen=True)
class EpdmsBatch:
    """Sub-scores (P,) of a batch, after the human filter where the scene has one.

    Attributes:
        no_at_fault_collisions: NC.
        drivable_area_compliance: DAC.
        driving_direction_compliance: DDC.
        traffic_light_compliance: TLC.
        ego_progress: EP.
        time_to_collision_within_bound: TTC.
        lane_keeping: LK.
        history_comfort: HC.
        two_frame_extended_comfort: EC, NaN without a frame before.
        score: the extended score.
        first_on_red: first frame on a red connector, infinity without one.
        pdm: what the PDM score found, before the filter.
        reasons: why a column is NaN, by name.
    """

    no_at_fault_collisions: np.ndarray
    drivable_area_compliance: np.ndarray
    driving_direction_compliance: np.ndarray
    traffic_light_compliance: np.ndarray
    ego_progress: np.ndarray
    time_to_collision_within_bound: np.ndarray
    lane_keeping: np.ndarray
    history_comfort: np.ndarray
    two_frame_extended_comfort: np.ndarray
    score: np.ndarray
    first_on_red: np.ndarray
    pdm: PdmBatch
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The sub-scores by name, in NAVSIM v2's order."""
        return {name: getattr(self, name) for name in SUB_SCORES}


def epdms_batch(
    states: np.ndarray,
    scene: EpdmsScene,
    *,
    previous: PreviousFrame | None = None,
    pairwise: bool = False,
    threads: int | None = None,
) -> EpdmsBatch:
    """Return all sub-scores of rear-axle states (P, S, 11).

    Args:
        states: P sequences, `scene.pdm.dt` apart; row 0 is the reference of progress, PDM-Closed in NAVSIM.
        scene: what they are scored against.
        previous: the frame before; without it extended comfort is unknown and has no weight.
        pairwise: progress of every row is compared with row 0 alone, as if each were scored in a batch of two.
        threads: how many threads share large batches, None for one per core; results do not depend on it.

    Raises:
        ScenarioFormatError: the lights or the states before do not cover the same S states.
    """
    columns, first_on_red, pdm = _measure(states, scene, pairwise, threads)
    if scene.human_states is not None:
        columns = excuse(columns, _human(scene.human_states, scene, threads))
    columns[EXTENDED_COMFORT], reason = _between_frames(states, scene, previous, threads)
    reasons = dict(scene.unknown) | ({EXTENDED_COMFORT: reason} if reason else {})
    for name in scene.unknown:
        columns[name] = np.full(len(states), np.nan)
    score = epdms_score(columns, scene.parameters)
    return EpdmsBatch(**columns, score=score, first_on_red=first_on_red, pdm=pdm, reasons=reasons)


def _human(states: np.ndarray, scene: EpdmsScene, threads: int | None) -> dict[str, float]:
    """Return the sub-scores of the logged drive, scored alone and without a past."""
    alone = replace(scene, past=np.zeros((0, STATE_SIZE)))
    columns, _, _ = _measure(states[None], alone, False, threads)
    # Measured by nobody but itself, it has full progress whatever else it fails.
    return {name: float(values[0]) for name, values in columns.items()} | {"ego_progress": 1.0}


def _between_frames(
    states: np.ndarray, scene: EpdmsScene, previous: PreviousFrame | None, threads: int | None
) -> tuple[np.ndarray, str]:
    """Return extended comfort (P,), and why it is unknown ("" if it is known)."""
    unknown = np.full(len(states), np.nan)
    if previous is None:
        return unknown, "there is no frame before"
    shift = overlap_shift(previous.elapsed, scene.pdm.dt, scene.parameters)
    if shift is None:
        return unknown, f"the frame before is {previous.elapsed:.3f} s away"
    expected = states.shape if previous.states.ndim == 3 else states.shape[1:]
    require_shape("previous.states", previous.states, expected)
    comfort = extended_comfort(
        states,
        previous.states,
        shift,
        rear_axle_to_center=scene.pdm.vehicle.rear_axle_to_center,
        dt=scene.pdm.dt,
        parameters=scene.parameters,
        threads=threads,
    )
    return comfort, ""


def _measure(
    states: np.ndarray, scene: EpdmsScene, pairwise: bool, threads: int | None
) -> tuple[dict[str, np.ndarray], np.ndarray, PdmBatch]:
    """Return the columns of one frame, unfiltered, the first frames on red and the PDM batch."""
    world, parameters = scene.pdm, scene.parameters
    require_shape("lights.red", scene.lights.red, (len(scene.lights.ids), states.shape[1]))
    pdm = score_batch(states, world, threads)
    ego = ego_geometry(states, world.vehicle, threads)
    tlc, first_on_red = traffic_light_compliance(ego, scene.lights, threads)
    columns = {
        "no_at_fault_collisions": pdm.no_at_fault_collisions,
        "drivable_area_compliance": pdm.drivable_area_compliance,
        "driving_direction_compliance": direction_compliance_off_crossings(
            ego, pdm.areas, world.dt, parameters.pdm, threads
        ),
        "traffic_light_compliance": tlc,
    }
    columns["ego_progress"] = extended_progress(
        pdm.raw_progress, multiplier_of(columns), parameters, pairwise=pairwise
    )
    columns["time_to_collision_within_bound"] = pdm.time_to_collision_within_bound
    columns["lane_keeping"] = lane_keeping(
        ego,
        world.centerline,
        pdm.areas.center_in_intersection,
        dt=world.dt,
        parameters=parameters.pdm,
        threads=threads,
    )
    columns["history_comfort"] = np.ones(len(states))
    if len(scene.past):
        columns["history_comfort"] = history_comfort(
            states,
            scene.past,
            rear_axle_to_center=world.vehicle.rear_axle_to_center,
            dt=world.dt,
            rules=parameters.history,
            threads=threads,
        ).score
    return columns, first_on_red, pdm
