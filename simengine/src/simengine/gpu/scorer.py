"""All PDM sub-scores of a batch of ego state sequences on a GPU; the twin of `metrics.pdm.scorer`.

It is written in torch operations, so it runs on a processor too, slowly; that is how it is tested everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from simengine.gpu.aggregate import ego_progress, pdm_score
from simengine.gpu.areas import EgoAreas, ego_areas
from simengine.gpu.centerline import raw_progress
from simengine.gpu.collision import no_at_fault_collisions
from simengine.gpu.comfort import Comfort, comfort
from simengine.gpu.contacts import find_contacts
from simengine.gpu.direction import driving_direction_compliance
from simengine.gpu.ego_geometry import ego_geometry
from simengine.gpu.scene import GpuScene
from simengine.gpu.tensors import join, to_numpy
from simengine.gpu.ttc import time_to_collision
from simengine.gpu.verdicts import Violations
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch

_ENTRIES = 1 << 26
"""At most so many pairs of a state or projection and a track listed near it at once, at some 100 bytes each."""


@dataclass(frozen=True)
class RowScores:
    """What each sequence of a batch earns on its own; fields as in `GpuBatch`."""

    no_at_fault_collisions: torch.Tensor
    drivable_area_compliance: torch.Tensor
    time_to_collision_within_bound: torch.Tensor
    comfort: torch.Tensor
    driving_direction_compliance: torch.Tensor
    raw_progress: torch.Tensor
    collisions: Violations
    ttc_violations: Violations
    first_off_road: torch.Tensor
    comfort_detail: Comfort
    areas: EgoAreas


@dataclass(frozen=True)
class GpuBatch:
    """Sub-scores (P,) of a batch, as tensors, with what they were made of; fields as in `PdmBatch`.

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

    no_at_fault_collisions: torch.Tensor
    drivable_area_compliance: torch.Tensor
    ego_progress: torch.Tensor
    time_to_collision_within_bound: torch.Tensor
    comfort: torch.Tensor
    driving_direction_compliance: torch.Tensor
    score: torch.Tensor
    raw_progress: torch.Tensor
    collisions: Violations
    ttc_violations: Violations
    first_off_road: torch.Tensor
    comfort_detail: Comfort
    areas: EgoAreas

    def numpy(self) -> PdmBatch:
        """Return everything as arrays; waits for the device."""
        return to_numpy(self, PdmBatch)


@torch.no_grad()
def score_batch(states: torch.Tensor, scene: GpuScene | PdmScene, rows: int | None = None) -> GpuBatch:
    """Return all sub-scores of rear-axle states (P, S, 11), progress normalised over the whole batch.

    Args:
        states: P sequences, `scene.dt` apart; state s meets track frame s.
        scene: what they are scored against; a `PdmScene` is uploaded to the device of `states` first, which
            takes longer than scoring does.
        rows: how many sequences are scored at a time, None for as many as memory is made for; results do not
            depend on it.
    """
    if isinstance(scene, PdmScene):
        scene = GpuScene.upload(scene, states.device)
    states = states.to(scene.device, torch.float64)
    parts = join([_score_rows(part, scene) for part in states.split(rows or _rows_at_once(states, scene))])
    multiplier = parts.no_at_fault_collisions * parts.drivable_area_compliance
    progress = ego_progress(parts.raw_progress, multiplier, scene.parameters)
    score = pdm_score(
        multiplier,
        progress=progress,
        ttc=parts.time_to_collision_within_bound,
        comfort=parts.comfort,
        direction=parts.driving_direction_compliance,
        parameters=scene.parameters,
    )
    return GpuBatch(**vars(parts), ego_progress=progress, score=score)


def _rows_at_once(states: torch.Tensor, scene: GpuScene) -> int:
    points_of_areas, crowd = 6, scene.traffic.num_looks * scene.traffic.near.longest
    return max(_ENTRIES // (states.shape[1] * max(points_of_areas, crowd)), 1)


def _score_rows(states: torch.Tensor, scene: GpuScene) -> RowScores:
    parameters = scene.parameters
    # Kernels read one column at a time.
    columns = states.movedim(-1, 0).contiguous()
    ego = ego_geometry(columns, scene.vehicle)
    areas = ego_areas(ego, scene.areas)
    contacts = find_contacts(ego, scene.traffic)
    nc, collisions = no_at_fault_collisions(ego, scene.traffic, contacts, areas, parameters)
    ttc, ttc_violations = time_to_collision(ego, scene.traffic, contacts, areas, parameters)
    detail = comfort(columns, scene.dt, parameters.comfort)
    first_off_road = _first(areas.non_drivable)
    return RowScores(
        no_at_fault_collisions=nc,
        drivable_area_compliance=torch.isinf(first_off_road).double(),
        time_to_collision_within_bound=ttc,
        comfort=detail.score,
        driving_direction_compliance=driving_direction_compliance(ego, areas.oncoming, scene.dt, parameters),
        raw_progress=raw_progress(ego, scene.centerline),
        collisions=collisions,
        ttc_violations=ttc_violations,
        first_off_road=first_off_road,
        comfort_detail=detail,
        areas=areas,
    )


def _first(flags: torch.Tensor) -> torch.Tensor:
    """Return the first frame (P,) with a flag (P, S), infinity without one."""
    frames = torch.arange(flags.shape[1], dtype=torch.float64, device=flags.device)
    return torch.where(flags, frames, torch.inf).amin(dim=1)
