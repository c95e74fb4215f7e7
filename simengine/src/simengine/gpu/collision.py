"""No at-fault collision (NC) of many sequences at once; the twin of `metrics.pdm.collision`."""

from __future__ import annotations

import numpy as np
import torch

from simengine.gpu.areas import EgoAreas
from simengine.gpu.contacts import Contacts, angle_to, box_overlap
from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.traffic import Traffic
from simengine.gpu.verdicts import ASIDE, Violations, excuse_groups, first_contacts, not_excused
from simengine.metrics.pdm.collision import FRONT, LATERAL, STANDING_TRACK
from simengine.metrics.pdm.parameters import PdmParameters

_HARMLESS = -1


def no_at_fault_collisions(
    ego: EgoGeometry, traffic: Traffic, contacts: Contacts, areas: EgoAreas, parameters: PdmParameters
) -> tuple[torch.Tensor, Violations]:
    """Return NC (P,) and the first at-fault collisions; `contacts` are those of `ego`, projections included."""
    rows, tracks = ego.count, traffic.num_tracks
    contacts = contacts.where(contacts.look == 0, rows)
    kind = _kinds(ego, traffic, contacts, areas, parameters)
    group, groups = excuse_groups(
        contacts, ends=parameters.excuse_ends_with_contact, rows=rows, states=ego.num_states, tracks=tracks
    )
    counted = not_excused(kind != _HARMLESS, contacts.state, group, groups)
    cost = torch.where(counted, 0.5 * traffic.static[contacts.track], 1.0).double()
    score = cost.new_ones(ASIDE * rows).scatter_reduce_(0, contacts.row, cost, "amin")[:rows]
    first = first_contacts(contacts, counted, kind, rows=rows, looks=1, tracks=tracks)
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
    kind = torch.where(exposed, LATERAL, _HARMLESS).masked_fill_(front, FRONT).masked_fill_(behind, _HARMLESS)
    kind.masked_fill_(standing, STANDING_TRACK)
    return kind.masked_fill_(here.speed <= parameters.stopped_speed, _HARMLESS)
