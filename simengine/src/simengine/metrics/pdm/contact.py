"""What both collision sub-scores share: tracks as boxes, who can be near, and the angle to a track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.metrics.pdm.ego_geometry import EgoGeometry
from simengine.metrics.pdm.observation import TrackObservation
from simengine.metrics.pdm.parameters import PdmParameters

NEVER = -2
"""No harmless contact so far; before the state before the first."""


@dataclass(frozen=True)
class Violations:
    """The first violation of each of P state sequences.

    Attributes:
        first_frame: (P,) frame of the first violation, infinity without one.
        track: (P,) row of the track that is violated there, -1 without one.
        detail: (P,) int8, `CollisionKind` of a collision, or frames looked ahead for time to collision; -1
            without a violation.
    """

    first_frame: np.ndarray
    track: np.ndarray
    detail: np.ndarray

    @classmethod
    def none(cls, count: int) -> Violations:
        """Return room for `count` sequences, no violation yet."""
        return cls(np.full(count, np.inf), np.full(count, -1, np.int64), np.full(count, -1, np.int8))


@dataclass(frozen=True)
class TrackBoxes:
    """A tracks over F frames, frames first because the loops read all tracks of a frame.

    Attributes:
        pose: (F, A, 4) centre x, y [m], cosine and sine of the heading; anything where not present.
        present: (F, A) bool.
        half: (A, 2) half length and half width [m].
        standing: (F, A) whether the track counts as standing.
        static: (A,) whether it is of a class that never moves.
    """

    pose: np.ndarray
    present: np.ndarray
    half: np.ndarray
    standing: np.ndarray
    static: np.ndarray

    @property
    def num_frames(self) -> int:
        """Number of frames F."""
        return len(self.pose)

    @property
    def arrays(self) -> tuple:
        """Pose and half sizes, which the loops read together."""
        return self.pose, self.half


def track_boxes(observation: TrackObservation, parameters: PdmParameters) -> TrackBoxes:
    """Return the tracks of an observation as boxes."""
    pose = observation.pose.transpose(1, 0, 2)
    heading = pose[..., 2]
    boxes = np.stack([pose[..., 0], pose[..., 1], np.cos(heading), np.sin(heading)], axis=-1)
    velocity = observation.velocity if parameters.speed_at_contact else observation.first_velocity[:, None]
    slow = np.hypot(velocity[..., 0], velocity[..., 1]) <= parameters.stopped_speed
    standing = np.broadcast_to((slow | observation.is_static[:, None]).T, observation.present.T.shape)
    return TrackBoxes(
        np.ascontiguousarray(boxes),
        np.ascontiguousarray(observation.present.T),
        0.5 * observation.size,
        np.ascontiguousarray(standing),
        observation.is_static,
    )


def nearby(
    ego: EgoGeometry, tracks: TrackBoxes, ahead: np.ndarray, dt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which tracks any ego of the batch can touch at each state and projection.

    Args:
        ego: geometry of P sequences of S states.
        tracks: boxes over F frames.
        ahead: (L,) frames that a state is projected ahead.
        dt: time between states [s].

    Returns:
        Starts (S * L + 1,) into rows (N,) of tracks; state s and projection l have the part s * L + l.
        Projections beyond the last frame have no tracks.
    """
    pose = np.stack([ego.center_x, ego.center_y, ego.cos, ego.sin, ego.speed])
    reach = np.hypot(ego.half_length, ego.half_width) + np.hypot(tracks.half[:, 0], tracks.half[:, 1])
    return _nearby(pose, ahead * dt, ahead, tracks.pose, tracks.present, reach + 1e-3)


@njit(cache=True, nogil=True, error_model="numpy")
def _nearby(pose, times, ahead, tracks, present, reach):  # type: ignore[no-untyped-def]
    count, states, looks = pose.shape[1], pose.shape[2], len(ahead)
    start = np.zeros(states * looks + 1, np.int64)
    rows = np.empty(states * looks * tracks.shape[1], np.int64)
    box = np.empty((states, looks, 4))
    box[..., :2], box[..., 2:] = np.inf, -np.inf
    for p in range(count):
        for s in range(states):
            for k in range(looks):
                far = times[k] * pose[4, p, s]
                x, y = pose[0, p, s] + far * pose[2, p, s], pose[1, p, s] + far * pose[3, p, s]
                box[s, k, 0], box[s, k, 1] = min(box[s, k, 0], x), min(box[s, k, 1], y)
                box[s, k, 2], box[s, k, 3] = max(box[s, k, 2], x), max(box[s, k, 3], y)
    n = 0
    for s in range(states):
        for k in range(looks):
            frame = s + ahead[k]
            for a in range(tracks.shape[1] if frame < len(tracks) else 0):
                x, y, r = tracks[frame, a, 0], tracks[frame, a, 1], reach[a]
                inside = (
                    box[s, k, 0] - r <= x <= box[s, k, 2] + r and box[s, k, 1] - r <= y <= box[s, k, 3] + r
                )
                if inside and present[frame, a]:
                    rows[n] = a
                    n += 1
            start[s * looks + k + 1] = n
    return start, rows[:n]


@njit(cache=True, nogil=True, error_model="numpy")
def angle_to(x, y, cos, sin, px, py):  # type: ignore[no-untyped-def]
    """Angle in 0..pi between a direction at (x, y) and the way to (px, py); NaN if they coincide."""
    dx, dy = px - x, py - y
    if dx == 0.0 and dy == 0.0:
        return np.nan
    return abs(np.arctan2(cos * dy - sin * dx, cos * dx + sin * dy))
