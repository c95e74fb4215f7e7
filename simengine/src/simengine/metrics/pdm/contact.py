"""Contacts between ego rectangles and track rectangles, and what both collision sub-scores share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from simengine.metrics.pdm.observation import TrackObservation


@dataclass(frozen=True)
class Violations:
    """The outcome of a search for violations in P state sequences against A tracks.

    Attributes:
        counted: (P, A) whether a track is violated at all.
        first_frame: (P,) frame of the first violation, infinity without one.
        track: (P,) row of the first violated track, -1 without one.
    """

    counted: np.ndarray
    first_frame: np.ndarray
    track: np.ndarray


def touching(
    ego_corners: np.ndarray, observation: TrackObservation, track_frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the (proposal, state, track) indices of all contacts; touching counts.

    Args:
        ego_corners: (P, S, 4, 2) ego rectangles.
        observation: the tracks.
        track_frames: (S,) frame of the tracks that each ego state meets.
    """
    ego_center = ego_corners.mean(axis=2)
    ego_radius = 0.5 * np.linalg.norm(ego_corners[0, 0, 0] - ego_corners[0, 0, 2])
    track_center = observation.pose[:, track_frames, :2]
    reach = ego_radius + 0.5 * np.hypot(observation.size[:, 0], observation.size[:, 1]) + 1e-3
    gap = ego_center[:, :, None] - track_center.transpose(1, 0, 2)[None]
    near = (gap**2).sum(axis=-1) <= reach**2
    near &= observation.present[:, track_frames].T[None]
    p, s, a = np.nonzero(near)
    if len(p) == 0:
        return p, s, a
    hit = shapely.intersects(shapely.polygons(ego_corners[p, s]), observation.polygons[a, track_frames[s]])
    return p[hit], s[hit], a[hit]


def angle_to(states: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the angle (N,) [rad] in 0..pi between headings of states (N, 11) and rear axle -> points (N, 2).

    A point on the rear axle has no direction: its angle is NaN, neither ahead nor behind.
    """
    offset = points - states[:, :2]
    cos, sin = np.cos(states[:, 2]), np.sin(states[:, 2])
    along = cos * offset[:, 0] + sin * offset[:, 1]
    across = cos * offset[:, 1] - sin * offset[:, 0]
    angle = np.abs(np.arctan2(across, along))
    return np.where((offset == 0.0).all(axis=1), np.nan, angle)


def first_violations(
    *,
    proposal: np.ndarray,
    order: np.ndarray,
    frame: np.ndarray,
    track: np.ndarray,
    bad: np.ndarray,
    shape: tuple[int, int],
) -> Violations:
    """Return which contacts count, when a harmless contact excuses all later ones with the same track.

    Args:
        proposal: (N,) row of the state sequence of each contact.
        order: (N,) rank of the contact in the order of examination.
        frame: (N,) frame that a violation is booked at.
        track: (N,) row of the track.
        bad: (N,) whether the contact violates the rule.
        shape: (P, A).
    """
    excused = np.full(shape, np.inf)
    np.minimum.at(excused, (proposal[~bad], track[~bad]), order[~bad])
    counts = bad & (order < excused[proposal, track])
    p, a, f = proposal[counts], track[counts], frame[counts]
    first = np.full(shape, np.inf)
    np.minimum.at(first, (p, a), f)
    counted = np.isfinite(first)
    if shape[1] == 0:
        return Violations(counted, np.full(shape[0], np.inf), np.full(shape[0], -1))
    first_frame = first.min(axis=1)
    return Violations(counted, first_frame, np.where(np.isfinite(first_frame), first.argmin(axis=1), -1))
