"""Every touch between a projected ego and a track, found at once for all states and projections.

The processor's scorer asks at each state who is near; here a grid knows, prepared once per scene.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.ranges import expand, repeat
from simengine.gpu.room import AS_NEEDED, Room
from simengine.gpu.traffic import Traffic


@dataclass(frozen=True)
class Contacts:
    """K contacts, each of one state or projection with one track.

    Attributes:
        real: (K,) false where room is left over; the other numbers are those of any pair then.
        row: (K,) sequence.
        state: (K,) frame of the state within its sequence.
        look: (K,) which projection, 0 for the state itself.
        track: (K,) track.
        box: (K,) box of the track in the frame that is met.
        place: (K,) place of the state in flattened (P, S) arrays.
    """

    real: torch.Tensor
    row: torch.Tensor
    state: torch.Tensor
    look: torch.Tensor
    track: torch.Tensor
    box: torch.Tensor
    place: torch.Tensor

    def __len__(self) -> int:
        """Return the number of contacts K."""
        return len(self.row)

    def where(self, chosen: torch.Tensor, rows: int) -> Contacts:
        """Return the contacts of P = `rows` sequences, those not `chosen` (K,) put aside into P more sequences."""
        return replace(self, row=self.row + rows * ~(self.real & chosen))


def find_contacts(
    ego: EgoGeometry, traffic: Traffic, ahead: torch.Tensor, times: torch.Tensor, room: Room = AS_NEEDED
) -> tuple[Contacts, torch.Tensor]:
    """Return all contacts of P sequences of S states moved on at constant speed and heading; touching counts.

    Projections beyond the last track frame meet nobody.

    Args:
        ego: the states.
        traffic: the tracks.
        ahead: (L,) frames that a state is projected ahead.
        times: (L,) the same in seconds.
        room: see `Room`.

    Returns:
        The contacts, and the room (2,) for boxes and contacts they take.
    """
    states, looks = ego.num_states, len(ahead)
    far = ego.speed[..., None] * times
    moved = ego.center[..., None] + far * ego.direction[..., None]
    frame = torch.arange(states, device=far.device)[:, None] + ahead
    cell = traffic.grid.cells(moved) + torch.minimum(frame, traffic.num_frames) * traffic.num_cells

    point, entry, boxes = expand(traffic.near, cell.view(-1), room.boxes)
    box, place = traffic.listed[entry], point // looks
    center, direction = moved.view(2, -1)[:, point], ego.direction.view(2, -1)[:, place]
    hits = repeat(
        box_overlap(*center, *direction, ego.half_length, ego.half_width, *traffic.boxes[:, box]),
        room.contacts,
    )
    point, box, place = (values[hits.position] for values in (point, box, place))
    row = place // states
    contacts = Contacts(
        hits.real,
        row,
        place - row * states,
        point - place * looks,
        traffic.track[box],
        box,
        place,
    )
    return contacts, torch.stack([boxes, hits.total])


def box_overlap(
    ax: torch.Tensor,
    ay: torch.Tensor,
    ac: torch.Tensor,
    as_: torch.Tensor,
    al: float,
    aw: float,
    bx: torch.Tensor,
    by: torch.Tensor,
    bc: torch.Tensor,
    bs: torch.Tensor,
    bl: torch.Tensor,
    bw: torch.Tensor,
) -> torch.Tensor:
    """Return whether boxes (K,) intersect, touching counts; see `geometry.overlap.box_overlap`."""
    dx, dy = bx - ax, by - ay
    cos, sin = torch.abs(ac * bc + as_ * bs), torch.abs(ac * bs - as_ * bc)
    apart = torch.abs(dx * ac + dy * as_) > al + bl * cos + bw * sin
    apart |= torch.abs(dy * ac - dx * as_) > aw + bl * sin + bw * cos
    apart |= torch.abs(dx * bc + dy * bs) > bl + al * cos + aw * sin
    apart |= torch.abs(dy * bc - dx * bs) > bw + al * sin + aw * cos
    return ~apart


def angle_to(
    x: torch.Tensor, y: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, px: torch.Tensor, py: torch.Tensor
) -> torch.Tensor:
    """Return angles (K,) in 0..pi between directions at (x, y) and the ways to (px, py); NaN if they coincide."""
    dx, dy = px - x, py - y
    angle = torch.abs(torch.atan2(cos * dy - sin * dx, cos * dx + sin * dy))
    return torch.where((dx == 0.0) & (dy == 0.0), torch.nan, angle)
