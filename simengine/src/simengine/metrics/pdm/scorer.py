"""All PDM sub-scores of a batch of ego state sequences in one scene."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.pdm.aggregate import pdm_score
from simengine.metrics.pdm.collision import no_at_fault_collisions
from simengine.metrics.pdm.comfort import Comfort, comfort
from simengine.metrics.pdm.contact import Violations
from simengine.metrics.pdm.direction import driving_direction_compliance
from simengine.metrics.pdm.drivable import drivable_area_compliance
from simengine.metrics.pdm.ego_areas import EgoAreas, ego_areas, ego_centers, ego_corners
from simengine.metrics.pdm.map_areas import DrivableMap
from simengine.metrics.pdm.observation import TrackObservation
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.progress import ego_progress, raw_progress
from simengine.metrics.pdm.ttc import time_to_collision


@dataclass(frozen=True)
class PdmScene:
    """What a batch is scored against.

    Attributes:
        vehicle: dimensions of the ego.
        observation: the tracks; frame s is met by state s.
        drivable: polygons around the ego.
        route_lanes: ids of the lanes of the route.
        centerline: (N, 2 or more columns) line along which progress counts.
        dt: time between states [s].
        parameters: thresholds and weights.
    """

    vehicle: VehicleParams
    observation: TrackObservation
    drivable: DrivableMap
    route_lanes: frozenset[str]
    centerline: np.ndarray
    dt: float = 0.1
    parameters: PdmParameters = field(default_factory=PdmParameters)


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


def score_batch(states: np.ndarray, scene: PdmScene) -> PdmBatch:
    """Return all sub-scores of rear-axle states (P, S, 11), progress normalised over the whole batch."""
    parameters = scene.parameters
    corners = ego_corners(states, scene.vehicle)
    areas = ego_areas(states, scene.vehicle, scene.drivable, scene.route_lanes)
    nc, collisions = no_at_fault_collisions(states, corners, scene.observation, areas, parameters)
    dac, first_off_road = drivable_area_compliance(areas)
    raw = raw_progress(states, scene.vehicle, scene.centerline)
    progress = ego_progress(raw, nc * dac, parameters)
    ttc, ttc_violations = time_to_collision(
        states, corners, scene.observation, areas, dt=scene.dt, parameters=parameters
    )
    detail = comfort(states, scene.dt)
    direction = driving_direction_compliance(ego_centers(states, scene.vehicle), areas, scene.dt, parameters)
    return PdmBatch(
        nc,
        dac,
        progress,
        ttc,
        detail.score,
        direction,
        pdm_score(
            nc * dac,
            progress=progress,
            ttc=ttc,
            comfort=detail.score,
            direction=direction,
            parameters=parameters,
        ),
        raw,
        collisions,
        ttc_violations,
        first_off_road,
        detail,
        areas,
    )
