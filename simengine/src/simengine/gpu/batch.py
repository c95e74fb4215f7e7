"""All sub-scores of a batch, in operations of which none has to wait for the device if it is given room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from simengine.gpu.aggregate import ego_progress, pdm_score
from simengine.gpu.areas import EgoAreas, ego_areas
from simengine.gpu.centerline import raw_progress
from simengine.gpu.collision import no_at_fault_collisions
from simengine.gpu.comfort import Comfort, comfort
from simengine.gpu.contacts import find_contacts
from simengine.gpu.direction import driving_direction_compliance
from simengine.gpu.ego_geometry import ego_geometry
from simengine.gpu.room import AS_NEEDED, Room
from simengine.gpu.rule_tensors import RuleTensors
from simengine.gpu.scene import GpuScene
from simengine.gpu.tensors import join, to_numpy
from simengine.gpu.ttc import time_to_collision
from simengine.gpu.verdicts import Violations
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.scorer import PdmBatch


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


def score_part(
    columns: torch.Tensor, scene: GpuScene, rules: RuleTensors, room: Room = AS_NEEDED
) -> tuple[GpuBatch, torch.Tensor]:
    """Return all sub-scores of rear-axle states by column (11, P, S), and the room (4,) they take.

    Where the room given is smaller than that, the scores mean nothing.
    """
    parameters, traffic = scene.parameters, scene.traffic
    ego = ego_geometry(columns, scene.vehicle)
    areas, room_of_areas = ego_areas(ego, scene.areas, room)
    contacts, room_of_contacts = find_contacts(ego, traffic, rules.ahead, rules.times, room)
    nc, collisions = no_at_fault_collisions(ego, traffic, contacts, areas, parameters)
    ttc, ttc_violations = time_to_collision(ego, traffic, contacts, areas, rules, parameters)
    detail = comfort(columns, rules, parameters)
    first_off_road = _first(areas.non_drivable)
    raw = raw_progress(ego, scene.centerline)
    # Progress and score come last, from comparing the sequences.
    batch = GpuBatch(
        no_at_fault_collisions=nc,
        drivable_area_compliance=torch.isinf(first_off_road).double(),
        ego_progress=raw,
        time_to_collision_within_bound=ttc,
        comfort=detail.score,
        driving_direction_compliance=driving_direction_compliance(ego, areas.oncoming, scene.dt, parameters),
        score=raw,
        raw_progress=raw,
        collisions=collisions,
        ttc_violations=ttc_violations,
        first_off_road=first_off_road,
        comfort_detail=detail,
        areas=areas,
    )
    return _compared(batch, parameters), torch.cat([room_of_areas, room_of_contacts])


def merge(parts: Sequence[GpuBatch], parameters: PdmParameters) -> GpuBatch:
    """Return parts of a batch as one, progress normalised over all of it."""
    return parts[0] if len(parts) == 1 else _compared(join(parts), parameters)


def _compared(batch: GpuBatch, parameters: PdmParameters) -> GpuBatch:
    """Return a batch with the progress and the score that follow from its other sub-scores."""
    multiplier = batch.no_at_fault_collisions * batch.drivable_area_compliance
    progress = ego_progress(batch.raw_progress, multiplier, parameters)
    score = pdm_score(
        multiplier,
        progress=progress,
        ttc=batch.time_to_collision_within_bound,
        comfort=batch.comfort,
        direction=batch.driving_direction_compliance,
        parameters=parameters,
    )
    return replace(batch, ego_progress=progress, score=score)


def _first(flags: torch.Tensor) -> torch.Tensor:
    """Return the first frame (P,) with a flag (P, S), infinity without one."""
    frames = torch.arange(flags.shape[1], dtype=torch.float64, device=flags.device)
    return torch.where(flags, frames, torch.inf).amin(dim=1)
