"""Where the ego is at every state, as tensors; the twin of `metrics.pdm.ego_geometry`."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams


@dataclass(frozen=True)
class EgoGeometry:
    """Rear axle, box centre and direction of P sequences of S states, all in world.

    Attributes:
        table: (8, P, S) in one piece, so that a kernel can gather all of it; the properties name its rows.
        half_length: half the length of the ego [m].
        half_width: half its width [m].
    """

    table: torch.Tensor
    half_length: float
    half_width: float

    @property
    def axle(self) -> torch.Tensor:
        """Rear axle x, y (2, P, S) [m]."""
        return self.table[0:2]

    @property
    def center(self) -> torch.Tensor:
        """Box centre x, y (2, P, S) [m]."""
        return self.table[2:4]

    @property
    def direction(self) -> torch.Tensor:
        """Cosine and sine (2, P, S) of the heading."""
        return self.table[4:6]

    @property
    def speed(self) -> torch.Tensor:
        """Length (P, S) of the velocity [m/s]."""
        return self.table[6]

    @property
    def count(self) -> int:
        """Number of sequences P."""
        return self.table.shape[1]

    @property
    def num_states(self) -> int:
        """Number of states S."""
        return self.table.shape[2]

    def at(self, places: torch.Tensor) -> StatesAt:
        """Return the states at `places` (K,) of flattened (P, S)."""
        return StatesAt(*self.table.view(8, -1)[:, places])


@dataclass(frozen=True)
class StatesAt:
    """K states picked from an `EgoGeometry`.

    Attributes:
        x: (K,) rear axle [m].
        y: (K,) rear axle [m].
        center_x: (K,) box centre [m].
        center_y: (K,) box centre [m].
        cos: (K,) of the heading.
        sin: (K,) of the heading.
        speed: (K,) length of the velocity [m/s].
        forward: (K,) velocity along the heading [m/s], negative when reversing.
    """

    x: torch.Tensor
    y: torch.Tensor
    center_x: torch.Tensor
    center_y: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    speed: torch.Tensor
    forward: torch.Tensor


def ego_geometry(columns: torch.Tensor, vehicle: VehicleParams) -> EgoGeometry:
    """Return the geometry of rear-axle states by column (11, P, S)."""
    axle, heading = columns[StateIndex.X : StateIndex.Y + 1], columns[StateIndex.HEADING]
    forward, sideways = columns[StateIndex.VELOCITY_X], columns[StateIndex.VELOCITY_Y]
    direction = torch.stack([torch.cos(heading), torch.sin(heading)])
    center = axle + vehicle.rear_axle_to_center * direction
    speeds = torch.stack([torch.hypot(forward, sideways), forward])
    return EgoGeometry(
        torch.cat([axle, center, direction, speeds]), 0.5 * vehicle.length, 0.5 * vehicle.width
    )
