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
        x: (P, S) rear axle [m].
        y: (P, S) rear axle [m].
        cos: (P, S) of the heading.
        sin: (P, S) of the heading.
        center_x: (P, S) box centre [m].
        center_y: (P, S) box centre [m].
        speed: (P, S) length of the velocity [m/s].
        forward: (P, S) velocity along the heading [m/s], negative when reversing.
        half_length: half the length of the ego [m].
        half_width: half its width [m].
    """

    x: torch.Tensor
    y: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    center_x: torch.Tensor
    center_y: torch.Tensor
    speed: torch.Tensor
    forward: torch.Tensor
    half_length: float
    half_width: float

    @property
    def count(self) -> int:
        """Number of sequences P."""
        return self.x.shape[0]

    @property
    def num_states(self) -> int:
        """Number of states S."""
        return self.x.shape[1]


def ego_geometry(columns: torch.Tensor, vehicle: VehicleParams) -> EgoGeometry:
    """Return the geometry of rear-axle states by column (11, P, S)."""
    x, y, heading = columns[StateIndex.X], columns[StateIndex.Y], columns[StateIndex.HEADING]
    forward, sideways = columns[StateIndex.VELOCITY_X], columns[StateIndex.VELOCITY_Y]
    cos, sin, shift = torch.cos(heading), torch.sin(heading), vehicle.rear_axle_to_center
    return EgoGeometry(
        x, y, cos, sin, x + shift * cos, y + shift * sin, torch.hypot(forward, sideways), forward,
        0.5 * vehicle.length, 0.5 * vehicle.width,
    )  # fmt: skip
