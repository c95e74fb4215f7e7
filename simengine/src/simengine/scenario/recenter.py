"""Moving a log to a local origin: coordinates of whole cities lose centimetres in 32-bit rendering."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import TrafficLights

_FAR = 100.0


@dataclass(frozen=True)
class Shift:
    """A translation: `world = source - offset`.

    Attributes:
        offset: (2,) position of the world origin in the frame of the source [m].
    """

    offset: np.ndarray

    @classmethod
    def to_ego(cls, first_pose: np.ndarray) -> Shift:
        """Return the shift to the first ego pose (3,), none if that is within 100 m of the origin.

        Distance decides, not the sum of the coordinates, which cancels for some places.
        """
        far = np.hypot(first_pose[0], first_pose[1]) >= _FAR
        return cls(np.array(first_pose[:2], np.float64) if far else np.zeros(2))

    def ego(self, track: EgoTrack) -> EgoTrack:
        """Return the ego track in the world frame."""
        return replace(track, pose=self._poses(track.pose))

    def agents(self, tracks: AgentTracks) -> AgentTracks:
        """Return the agent tracks in the world frame; invalid entries stay zero."""
        return replace(tracks, pose=np.where(tracks.valid[..., None], self._poses(tracks.pose), 0.0))

    def lights(self, lights: TrafficLights) -> TrafficLights:
        """Return the lights with stop points in the world frame."""
        return replace(lights, stop_point=lights.stop_point - self.offset)

    def _poses(self, poses: np.ndarray) -> np.ndarray:
        moved = np.array(poses, np.float64)
        moved[..., :2] -= self.offset
        return moved
