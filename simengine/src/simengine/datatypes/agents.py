"""Tracks of everything that moves or stands around the ego."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from simengine.datatypes.check import require_finite, require_shape


class AgentType(IntEnum):
    """Kinds of agents; the integers are nuPlan's."""

    VEHICLE = 0
    PEDESTRIAN = 1
    CYCLIST = 2
    TRAFFIC_CONE = 3
    BARRIER = 4
    CZONE_SIGN = 5
    GENERIC_OBJECT = 6
    EGO = 7

    @property
    def is_static(self) -> bool:
        """Whether such an object never moves by itself (NAVSIM's "static" classes)."""
        return self in _STATIC


_STATIC = frozenset(
    {AgentType.TRAFFIC_CONE, AgentType.BARRIER, AgentType.CZONE_SIGN, AgentType.GENERIC_OBJECT}
)
STATIC_TYPES = np.array(sorted(_STATIC), dtype=np.int8)


@dataclass(frozen=True)
class AgentTracks:
    """States of A agents over T frames in the world frame; the ego is not among them.

    Entries with `valid` false hold zeros and mean nothing.

    Attributes:
        ids: A unique names.
        types: (A,) int8 of `AgentType`.
        pose: (A, T, 3) box centre x, y [m] and yaw [rad].
        velocity: (A, T, 2) in world axes [m/s].
        size: (A, 3) length, width, height [m].
        valid: (A, T) bool.
    """

    ids: tuple[str, ...]
    types: np.ndarray
    pose: np.ndarray
    velocity: np.ndarray
    size: np.ndarray
    valid: np.ndarray

    def __post_init__(self) -> None:
        a, t = len(self.ids), self.pose.shape[1] if self.pose.ndim == 3 else -1
        require_shape("agents.types", self.types, (a,))
        require_shape("agents.pose", self.pose, (a, t, 3))
        require_shape("agents.velocity", self.velocity, (a, t, 2))
        require_shape("agents.size", self.size, (a, 3))
        require_shape("agents.valid", self.valid, (a, t))
        require_finite("agents.pose", self.pose)
        require_finite("agents.velocity", self.velocity)
        require_finite("agents.size", self.size)

    @property
    def num_agents(self) -> int:
        """Number of tracks A."""
        return len(self.ids)

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return self.pose.shape[1]

    @classmethod
    def empty(cls, num_frames: int) -> AgentTracks:
        """Return a set of zero tracks over `num_frames` frames."""
        return cls(
            (),
            np.zeros(0, np.int8),
            np.zeros((0, num_frames, 3)),
            np.zeros((0, num_frames, 2)),
            np.zeros((0, 3)),
            np.zeros((0, num_frames), bool),
        )

    def select(self, mask: np.ndarray) -> AgentTracks:
        """Return the tracks where `mask` (A,) is true."""
        index = np.flatnonzero(mask)
        return AgentTracks(
            tuple(self.ids[i] for i in index),
            self.types[index],
            self.pose[index],
            self.velocity[index],
            self.size[index],
            self.valid[index],
        )

    def at_frames(self, frames: np.ndarray) -> AgentTracks:
        """Return the tracks at `frames` (T',), any order."""
        return AgentTracks(
            self.ids,
            self.types,
            self.pose[:, frames],
            self.velocity[:, frames],
            self.size,
            self.valid[:, frames],
        )


@dataclass(frozen=True)
class AgentStates:
    """States of the A' agents that exist at one instant, in the world frame.

    Attributes:
        ids: A' unique names.
        types: (A',) int8 of `AgentType`.
        pose: (A', 3) box centre [m, m, rad].
        velocity: (A', 2) in world axes [m/s].
        size: (A', 3) length, width, height [m].
    """

    ids: tuple[str, ...]
    types: np.ndarray
    pose: np.ndarray
    velocity: np.ndarray
    size: np.ndarray
