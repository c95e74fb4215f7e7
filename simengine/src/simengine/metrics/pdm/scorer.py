"""All PDM sub-scores of a batch of ego state sequences in one scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.metrics.pdm.aggregate import pdm_score
from simengine.metrics.pdm.collision import no_at_fault_collisions
from simengine.metrics.pdm.comfort import Comfort, comfort
from simengine.metrics.pdm.contact import Violations, track_boxes
from simengine.metrics.pdm.direction import driving_direction_compliance
from simengine.metrics.pdm.drivable import drivable_area_compliance
from simengine.metrics.pdm.ego_areas import EgoAreas, ego_areas
from simengine.metrics.pdm.ego_geometry import ego_geometry
from simengine.metrics.pdm.progress import ego_progress, raw_progress
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.ttc import time_to_collision


@dataclass(frozen=True)
class PdmBatch:
    """Sub-scores (P,) of a batch with what they were made of.

    Attributes:
        no_at_fault_collisions: NC.
        drivable_area_compliance: DAC.
        ego_progress: EP, normalised over the batch.
        time_to_collision_within_bound: TTC.
        comfort: C.
        driving_direction_compliance: DDC.
        score: the PDM score.
        raw_progress: metres along the centre line.
        collisions: at-fault collisions.
        ttc_violations: violations of time to collision.
        first_off_road: first frame off the drivable area, infinity without one.
        comfort_detail: the six comfort series.
        areas: area flags (P, S).
    """

    no_at_fault_collisions: np.ndarray
    drivable_area_compliance: np.ndarray
    ego_progress: np.ndarray
    time_to_collision_within_bound: np.ndarray
    comfort: np.ndarray
    driving_direction_compliance: np.ndarray
    score: np.ndarray
    raw_progress: np.ndarray
    collisions: Violations
    ttc_violations: Violations
    first_off_road: np.ndarray
    comfort_detail: Comfort
    areas: EgoAreas


def score_batch(states: np.ndarray, scene: PdmScene, threads: int | None = None) -> PdmBatch:
    """Return all sub-scores of rear-axle states (P, S, 11), progress normalised over the whole batch.

    Args:
        states: P sequences, `scene.dt` apart; state s meets track frame s.
        scene: what they are scored against.
        threads: how many threads share large batches, None for one per core; results do not depend on it.
    """
    parameters = scene.parameters
    ego = ego_geometry(states, scene.vehicle, threads)
    tracks = track_boxes(scene.observation, parameters)
    areas = ego_areas(ego, scene.drivable, scene.route_lanes, parameters.areas, threads)
    nc, collisions = no_at_fault_collisions(ego, tracks, areas, parameters, threads)
    dac, first_off_road = drivable_area_compliance(areas)
    raw = raw_progress(ego, scene.centerline, threads)
    progress = ego_progress(raw, nc * dac, parameters)
    ttc, ttc_violations = time_to_collision(
        ego, tracks, areas, dt=scene.dt, parameters=parameters, threads=threads
    )
    detail = comfort(states, scene.dt, parameters.comfort, threads)
    direction = driving_direction_compliance(ego, areas, scene.dt, parameters, threads)
    score = pdm_score(
        nc * dac, progress=progress, ttc=ttc, comfort=detail.score, direction=direction, parameters=parameters
    )
    return PdmBatch(
        nc, dac, progress, ttc, detail.score, direction, score, raw, collisions, ttc_violations,
        first_off_road, detail, areas,
    )  # fmt: skip
