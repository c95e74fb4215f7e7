"""Time to collision within bound (TTC) of many sequences at once; the twin of `metrics.pdm.ttc`."""

from __future__ import annotations

import numpy as np
import torch

from simengine.gpu.areas import EgoAreas
from simengine.gpu.contacts import Contacts, angle_to
from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.rule_tensors import RuleTensors
from simengine.gpu.traffic import Traffic
from simengine.gpu.verdicts import Violations, excuse_groups, first_contacts, not_excused, order_of
from simengine.metrics.pdm.parameters import PdmParameters


def time_to_collision(
    ego: EgoGeometry,
    traffic: Traffic,
    contacts: Contacts,
    areas: EgoAreas,
    rules: RuleTensors,
    parameters: PdmParameters,
) -> tuple[torch.Tensor, Violations]:
    """Return TTC (P,) and its first violations; `contacts` are those of `ego`, projections included."""
    rows, tracks, looks = ego.count, traffic.num_tracks, len(rules.ahead)
    seen = ego.speed.view(-1)[contacts.place] >= parameters.ttc_stopped_speed
    if parameters.ttc_whole_look_ahead:
        seen &= contacts.state < traffic.num_frames - rules.ahead[-1]
    contacts = contacts.where(seen, rows)
    bad = _violates(ego, traffic, contacts, areas, rules, parameters)
    group, groups = excuse_groups(
        contacts, ends=parameters.excuse_ends_with_contact, rows=rows, states=ego.num_states, tracks=tracks
    )
    counted = not_excused(bad, order_of(contacts, looks, tracks), group, groups)
    kind = torch.zeros_like(contacts.row)
    first = first_contacts(contacts, counted, kind, rows=rows, looks=looks, tracks=tracks)
    return (~first.found).double(), first.violations(rules.ahead[first.look])


def _violates(
    ego: EgoGeometry,
    traffic: Traffic,
    contacts: Contacts,
    areas: EgoAreas,
    rules: RuleTensors,
    parameters: PdmParameters,
) -> torch.Tensor:
    here = ego.at(contacts.place)
    x, y = here.x, here.y
    if parameters.ttc_from_moved_ego:
        far = here.speed * rules.times[contacts.look]
        x, y = x + far * here.cos, y + far * here.sin
    angle = angle_to(x, y, here.cos, here.sin, *traffic.boxes[:2, contacts.box])
    exposed = areas.multiple_lanes | areas.non_drivable | areas.in_intersection
    exposed = exposed.view(-1)[contacts.place]
    ahead = angle < np.deg2rad(parameters.ahead_angle_deg)
    return ahead | (exposed & ~(angle > np.deg2rad(parameters.behind_angle_deg)))
