"""One scored state sequence, with the geometry by which its failures are described."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from simengine.datatypes.agents import AgentType
from simengine.geometry import boxes
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import points_to_local, rotate, shift_forward
from simengine.metrics.pdm.ego_geometry import ego_centers
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch

CORNERS = ("front left", "rear left", "rear right", "front right")
_SOURCES = {"logged_ego": "the logged drive", "pdm_closed": "PDM-Closed"}


@dataclass(frozen=True)
class Drive:
    """A state sequence as one row of a scored batch.

    Attributes:
        states: (S, 11) rear-axle states of that row.
        scene: what it was scored against.
        batch: the sub-scores of the batch and what they were made of.
        row: the row of `batch`; row 0 is the reference of progress.
        source: who drives row 0, see `Reference.source`.
    """

    states: np.ndarray
    scene: PdmScene
    batch: PdmBatch
    row: int = 1
    source: str = "logged_ego"

    @property
    def reference(self) -> str:
        """Who drives row 0, in words."""
        return _SOURCES.get(self.source, self.source)

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners of the ego (S, 4, 2) in world, in the order of `CORNERS`."""
        vehicle = self.scene.vehicle
        return boxes.corners(ego_centers(self.states, vehicle), vehicle.length, vehicle.width)

    @cached_property
    def centers(self) -> np.ndarray:
        """Box centres of the ego (S, 2) in world."""
        return ego_centers(self.states, self.scene.vehicle)[:, :2]

    @cached_property
    def velocity(self) -> np.ndarray:
        """Velocity of the rear axle (S, 2) in world [m/s]."""
        return rotate(self.states[:, 3:5], self.states[:, 2])

    @property
    def speed(self) -> np.ndarray:
        """Speed (S,) [m/s]."""
        return np.hypot(self.states[:, 3], self.states[:, 4])

    def time(self, frame: float) -> float:
        """Return the time of a frame after the first state [s]."""
        return round(float(frame * self.scene.dt), 6)

    def footprint(self, frame: int, ahead: float = 0.0) -> shapely.Polygon:
        """Return the outline of the ego at a frame, moved `ahead` [m] along its heading."""
        vehicle = self.scene.vehicle
        pose = shift_forward(self.states[frame, :3], vehicle.rear_axle_to_center + ahead)
        return shapely.Polygon(boxes.corners(pose, vehicle.length, vehicle.width))

    def outline(self, track: int, frame: int) -> shapely.Polygon:
        """Return the outline of a track at a frame; empty where it is not present."""
        seen = self.scene.observation
        if frame >= seen.num_frames or not seen.present[track, frame]:
            return shapely.Polygon()
        return shapely.Polygon(boxes.corners(seen.pose[track, frame], *seen.size[track]))

    def label(self, track: int) -> tuple[str, str]:
        """Return the id of a track and its class in words."""
        seen = self.scene.observation
        return seen.ids[track], AgentType(int(seen.types[track])).name.lower().replace("_", " ")

    def meeting(self, track: int, frame: int) -> dict[str, float]:
        """Return how ego and track stand and move relative to each other at a frame where the track is present."""
        seen = self.scene.observation
        pose, velocity = seen.pose[track, frame], seen.velocity[track, frame]
        way = pose[:2] - self.centers[frame]
        apart = float(np.hypot(*way))
        closing = float((self.velocity[frame] - velocity) @ way / apart) if apart > 0.0 else float("nan")
        x, y = points_to_local(self.states[frame, :3], pose[None, :2])[0]
        return {
            "ego_speed": float(self.speed[frame]),
            "object_speed": float(np.hypot(*velocity)),
            "closing_speed": closing,
            "angle_deg": self.angle_deg(track, frame, frame),
            "ahead_of_rear_axle": float(x),
            "left_of_rear_axle": float(y),
            "heading_difference_deg": float(np.rad2deg(wrap(pose[2] - self.states[frame, 2]))),
        }

    def angle_deg(self, track: int, frame: int, later: int, ahead: float = 0.0) -> float:
        """Return the angle between the heading of the ego and the way to a track, 0 to 180 degrees.

        Args:
            track: row of the track.
            frame: of the ego, which looks from its rear axle.
            later: frame of the track.
            ahead: how far the ego is moved along its heading before it looks [m].
        """
        centre = self.scene.observation.pose[track, later, :2]
        x, y = points_to_local(shift_forward(self.states[frame, :3], ahead), centre[None])[0]
        return float(np.rad2deg(np.abs(np.arctan2(y, x))))


def spell(flags: np.ndarray, frame: int) -> tuple[int, int]:
    """Return the first and the last frame of the stretch of true `flags` (S,) around `frame`, which is true."""
    off = np.flatnonzero(~flags)
    before, after = off[off < frame], off[off > frame]
    return (int(before[-1]) + 1 if len(before) else 0), (int(after[0]) - 1 if len(after) else len(flags) - 1)


def spells(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and last frames of every stretch of true `flags` (S,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
