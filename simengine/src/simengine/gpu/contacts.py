"""Every touch between a projected ego and a track, found at once for all states and projections.

The processor's scorer asks at each state who is near; here a grid knows, prepared once per scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from simengine.gpu.ego_geometry import EgoGeometry
from simengine.gpu.grid import Grid, upload_grid
from simengine.gpu.ranges import Ranges, expand, upload_ranges
from simengine.gpu.traffic_grid import traffic_grid
from simengine.metrics.pdm.contact import track_boxes
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.ttc import look_ahead_frames


@dataclass(frozen=True)
class Traffic:
    """A tracks over F frames; box `frame * A + track`.

    Attributes:
        grid: cells of one frame.
        near: boxes near each frame and cell, frames first.
        listed: (N,) boxes that `near` points into.
        boxes: (6, F * A) centre x, y [m], cosine and sine of the heading, half length, half width [m].
        standing: (F * A,) whether the track counts as standing.
        static: (A,) whether it is of a class that never moves.
        num_frames: number of frames F.
        ahead: (L,) frames that a state is projected ahead, the first is 0.
        times: (L,) the same in seconds.
        last_ahead: the last of `ahead`.
    """

    grid: Grid
    near: Ranges
    listed: torch.Tensor
    boxes: torch.Tensor
    standing: torch.Tensor
    static: torch.Tensor
    num_frames: int
    ahead: torch.Tensor
    times: torch.Tensor
    last_ahead: int

    @property
    def num_tracks(self) -> int:
        """Number of tracks A."""
        return len(self.static)

    @property
    def num_looks(self) -> int:
        """Number of projections L of a state, the state itself included."""
        return len(self.ahead)


@dataclass(frozen=True)
class Contacts:
    """K contacts, each of one state or projection with one track.

    Attributes:
        table: (6, K) in one piece; the properties name its rows.
    """

    table: torch.Tensor

    @property
    def row(self) -> torch.Tensor:
        """Sequence (K,)."""
        return self.table[0]

    @property
    def state(self) -> torch.Tensor:
        """Frame (K,) of the state within its sequence."""
        return self.table[1]

    @property
    def look(self) -> torch.Tensor:
        """Which projection (K,), 0 for the state itself."""
        return self.table[2]

    @property
    def track(self) -> torch.Tensor:
        """Track (K,)."""
        return self.table[3]

    @property
    def box(self) -> torch.Tensor:
        """Box (K,) of the track in the frame that is met."""
        return self.table[4]

    @property
    def place(self) -> torch.Tensor:
        """Place (K,) of the state in flattened (P, S) arrays."""
        return self.table[5]

    def __len__(self) -> int:
        """Return the number of contacts K."""
        return self.table.shape[1]

    def select(self, chosen: torch.Tensor) -> Contacts:
        """Return the contacts with a flag in `chosen` (K,); waits for the device."""
        return Contacts(self.table[:, chosen.nonzero().squeeze(1)])


def upload_traffic(scene: PdmScene, device: torch.device) -> Traffic:
    """Return the tracks of a scene on `device`, with what its mode says about them."""
    tracks = track_boxes(scene.observation, scene.parameters)
    grid = traffic_grid(tracks, 0.5 * float(np.hypot(scene.vehicle.length, scene.vehicle.width)))
    frames, count = tracks.present.shape
    half = np.broadcast_to(tracks.half, (frames, count, 2))
    boxes = np.concatenate([tracks.pose, half], axis=-1).reshape(frames * count, 6).T
    ahead = look_ahead_frames(scene.dt, scene.parameters)

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(array, order="C")).to(device)

    return Traffic(
        upload_grid(tuple(grid.corner.tolist()), grid.cell, grid.rows, grid.columns, device),
        upload_ranges(grid.start, device),
        put(grid.box),
        put(boxes),
        put(tracks.standing.reshape(-1)),
        put(tracks.static),
        frames,
        put(ahead),
        put(ahead * scene.dt),
        int(ahead[-1]),
    )


def find_contacts(ego: EgoGeometry, traffic: Traffic) -> Contacts:
    """Return all contacts of P sequences of S states moved on at constant speed and heading; touching counts.

    Projections beyond the last track frame meet nobody.
    """
    far = ego.speed[..., None] * traffic.times
    moved = ego.center[..., None] + far * ego.direction[..., None]
    frame = torch.arange(ego.num_states, device=far.device)[:, None] + traffic.ahead
    cell, cells = traffic.grid.cells(moved), traffic.grid.num_cells
    known = (cell < cells) & (frame < traffic.num_frames)
    listed = torch.where(known, frame * cells + cell, traffic.num_frames * cells)

    point, entry = expand(traffic.near, listed.view(-1))
    box, place = traffic.listed[entry], point // traffic.num_looks
    center, direction = moved.view(2, -1)[:, point], ego.direction.view(2, -1)[:, place]
    hit = box_overlap(*center, *direction, ego.half_length, ego.half_width, *traffic.boxes[:, box])
    point, box, place = torch.stack([point, box, place])[:, hit.nonzero().squeeze(1)]
    row = place // ego.num_states
    state, look = place - row * ego.num_states, point - place * traffic.num_looks
    return Contacts(torch.stack([row, state, look, box % max(traffic.num_tracks, 1), box, place]))


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
