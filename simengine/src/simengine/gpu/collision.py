"""No at-fault collision (NC) of many sequences at once; the twin of `metrics.pdm.collision`."""

from __future__ import annotations

import numpy as np
import torch

from simengine.gpu.areas import EgoAreas
from simengine.gpu.contacts import Contacts, Traffic, angle_to, box_overlap
from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.verdicts import Violations, excuse_groups, first_contacts, not_excused
from simengine.metrics.pdm.collision import FRONT, LATERAL, STANDING_TRACK
from simengine.metrics.pdm.parameters import PdmParameters

_HARMLESS = -1


def no_at_fault_collisions(
    ego: EgoGeometry, traffic: Traffic, contacts: Contacts, areas: EgoAreas, parameters: PdmParameters
) -> tuple[torch.Tensor, Violations]:
    """Return NC (P,) and the first at-fault collisions; `contacts` are those of `ego`, projections included."""
    contacts = contacts.select(contacts.look == 0)
    tracks = max(traffic.num_tracks, 1)
    kind = _kinds(ego, traffic, contacts, areas, parameters)
    group, groups = excuse_groups(
        contacts,
        ends=parameters.excuse_ends_with_contact,
        rows=ego.count,
        states=ego.num_states,
        tracks=tracks,
    )
    counted = not_excused(kind != _HARMLESS, contacts.state, group, groups)
    cost = torch.where(counted, torch.where(traffic.static[contacts.track], 0.5, 0.0), 1.0).double()
    score = torch.ones_like(ego.speed[:, 0]).scatter_reduce_(0, contacts.row, cost, "amin")
    first = first_contacts(contacts, counted, kind, rows=ego.count, looks=1, tracks=tracks)
    return score, first.violations(first.kind)


def _kinds(
    ego: EgoGeometry, traffic: Traffic, contacts: Contacts, areas: EgoAreas, parameters: PdmParameters
) -> torch.Tensor:
    """Return the kind of every contact (K,), -1 if it is harmless."""
    here, box = ego.at(contacts.place), traffic.boxes[:, contacts.box]
    angle = angle_to(here.x, here.y, here.cos, here.sin, box[0], box[1])
    behind = angle > np.deg2rad(parameters.behind_angle_deg)
    standing = traffic.standing[contacts.box]
    if parameters.harmless_from_behind:
        standing &= ~(behind & (here.forward >= 0.0))
    nose_x = here.center_x + ego.half_length * here.cos
    nose_y = here.center_y + ego.half_length * here.sin
    front = box_overlap(nose_x, nose_y, here.cos, here.sin, 0.0, ego.half_width, *box)
    exposed = (areas.multiple_lanes | areas.non_drivable).view(-1)[contacts.place]
    kind = torch.where(exposed, LATERAL, _HARMLESS)
    kind = torch.where(front, FRONT, kind)
    kind = torch.where(behind, _HARMLESS, kind)
    kind = torch.where(standing, STANDING_TRACK, kind)
    return torch.where(here.speed <= parameters.stopped_speed, _HARMLESS, kind)
