"""Where the ego is at every state, in the form that the compiled loops of the scorer read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.datatypes.vehicle import VehicleParams
from simengine.geometry import boxes
from simengine.geometry.se2 import shift_forward
from simengine.rows import for_rows


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

    x: np.ndarray
    y: np.ndarray
    cos: np.ndarray
    sin: np.ndarray
    center_x: np.ndarray
    center_y: np.ndarray
    speed: np.ndarray
    forward: np.ndarray
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

    @property
    def centers(self) -> np.ndarray:
        """Box centres (P, S, 2) [m]."""
        return np.stack([self.center_x, self.center_y], axis=-1)

    def corners(self, row: int) -> np.ndarray:
        """Return the corners (S, 4, 2) of one sequence: front-left, rear-left, rear-right, front-right."""
        heading = np.arctan2(self.sin[row], self.cos[row])
        pose = np.stack([self.center_x[row], self.center_y[row], heading], axis=-1)
        return boxes.corners(pose, 2 * self.half_length, 2 * self.half_width)


def ego_centers(states: np.ndarray, vehicle: VehicleParams) -> np.ndarray:
    """Return box-centre poses (..., 3) of rear-axle states (..., 11)."""
    return shift_forward(states[..., :3], vehicle.rear_axle_to_center)


def ego_geometry(states: np.ndarray, vehicle: VehicleParams, threads: int | None = None) -> EgoGeometry:
    """Return the geometry of rear-axle states (P, S, 11); see `for_rows` for `threads`."""
    states = np.asarray(states, dtype=np.float64)
    out = np.empty((8, *states.shape[:2]))
    for_rows(
        lambda a, b: _derive(states[a:b], vehicle.rear_axle_to_center, out[:, a:b]), len(states), threads
    )
    return EgoGeometry(*out, 0.5 * vehicle.length, 0.5 * vehicle.width)


@njit(cache=True, nogil=True, error_model="numpy")
def _derive(states, forward, out):  # type: ignore[no-untyped-def]
    for p in range(states.shape[0]):
        for s in range(states.shape[1]):
            x, y, heading, vx, vy = (
                states[p, s, 0],
                states[p, s, 1],
                states[p, s, 2],
                states[p, s, 3],
                states[p, s, 4],
            )
            cos, sin = np.cos(heading), np.sin(heading)
            out[0, p, s], out[1, p, s], out[2, p, s], out[3, p, s] = x, y, cos, sin
            out[4, p, s], out[5, p, s] = x + forward * cos, y + forward * sin
            out[6, p, s], out[7, p, s] = np.hypot(vx, vy), vx
