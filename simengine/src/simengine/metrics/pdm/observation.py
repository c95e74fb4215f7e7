"""Other road users as the scorer sees them: one rectangle per track and frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from simengine.datatypes.agents import STATIC_TYPES, AgentTracks
from simengine.geometry import boxes
from simengine.geometry.angles import wrap


@dataclass(frozen=True)
class TrackObservation:
    """Rectangles of A tracks over F frames, with what never changes about a track.

    Attributes:
        ids: A unique names.
        types: (A,) int8 of `AgentType`.
        pose: (A, F, 3) centres in world [m, m, rad]; anything where not present.
        size: (A, 2) length, width [m].
        present: (A, F) bool.
        velocity: (A, F, 2) in world [m/s], 0 for classes that never move; anything where not present.
    """

    ids: tuple[str, ...]
    types: np.ndarray
    pose: np.ndarray
    size: np.ndarray
    present: np.ndarray
    velocity: np.ndarray

    @property
    def num_frames(self) -> int:
        """Number of frames F."""
        return self.present.shape[1]

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners (A, F, 4, 2) in world: front-left, rear-left, rear-right, front-right."""
        return boxes.corners(self.pose, self.size[:, None, 0], self.size[:, None, 1])

    @cached_property
    def polygons(self) -> np.ndarray:
        """Shapely polygons (A, F); empty polygons where a track is not present."""
        made = np.full(self.present.shape, shapely.Polygon(), dtype=object)
        if self.present.any():
            made[self.present] = shapely.polygons(self.corners[self.present])
        return made

    @property
    def is_static(self) -> np.ndarray:
        """Whether each track (A,) is of a class that never moves."""
        return np.isin(self.types, STATIC_TYPES)

    @property
    def first_velocity(self) -> np.ndarray:
        """Velocity (A, 2) in world at the first appearance [m/s]; by it NAVSIM decides whether a track stands."""
        if not len(self.ids):
            return np.zeros((0, 2))
        return self.velocity[np.arange(len(self.ids)), np.argmax(self.present, axis=1)]


def observation_from_tracks(tracks: AgentTracks) -> TrackObservation:
    """Return the observation of tracks that already run at the rate of the scored states."""
    seen = tracks.valid.any(axis=1)
    tracks = tracks.select(seen)
    velocity = np.array(tracks.velocity)
    velocity[np.isin(tracks.types, STATIC_TYPES)] = 0.0
    return TrackObservation(tracks.ids, tracks.types, tracks.pose, tracks.size[:, :2], tracks.valid, velocity)


def interpolate_tracks(
    tracks: AgentTracks, dt: float, num_frames: int, new_dt: float, lone_detections_vanish: bool = False
) -> AgentTracks:
    """Return sparse detections as tracks of `num_frames` frames, `new_dt` apart, by NAVSIM's rules.

    Gaps are bridged; tracks appear late and vanish early; a track detected once stands there at all
    times.

    Args:
        tracks: detections over T frames.
        dt: time between the detections [s].
        num_frames: number of frames wanted.
        new_dt: time between them [s].
        lone_detections_vanish: a track detected once exists within half a `dt` of its detection only.
    """
    times = np.arange(num_frames) * new_dt
    knots = np.arange(tracks.num_frames) * dt
    pose = np.zeros((tracks.num_agents, num_frames, 3))
    velocity = np.zeros((tracks.num_agents, num_frames, 2))
    valid = np.zeros((tracks.num_agents, num_frames), bool)
    for i in range(tracks.num_agents):
        at = np.flatnonzero(tracks.valid[i])
        if len(at) == 0:
            continue
        if len(at) == 1:
            pose[i], velocity[i] = tracks.pose[i, at[0]], tracks.velocity[i, at[0]]
            valid[i] = np.abs(times - knots[at[0]]) <= 0.5 * dt + 1e-9 if lone_detections_vanish else True
            continue
        # The tolerance keeps 3 * 0.1 on the knot at 0.3.
        valid[i] = (times >= knots[at[0]] - 1e-9) & (times <= knots[at[-1]] + 1e-9)
        t = times[valid[i]]
        series = np.concatenate(
            [tracks.pose[i, at, :2], np.unwrap(tracks.pose[i, at, 2])[:, None], tracks.velocity[i, at]],
            axis=1,
        )
        values = np.stack([np.interp(t, knots[at], series[:, k]) for k in range(5)], axis=1)
        pose[i, valid[i], :2] = values[:, :2]
        pose[i, valid[i], 2] = wrap(values[:, 2])
        velocity[i, valid[i]] = values[:, 3:]
    return AgentTracks(tracks.ids, tracks.types, pose, velocity, tracks.size, valid)
