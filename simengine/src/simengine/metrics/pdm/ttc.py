"""Time to collision within bound (TTC): 0 if the ego, going on straight, would soon run into a track."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.metrics.pdm.contact import Violations, angle_to, first_violations, touching
from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.observation import TrackObservation
from simengine.metrics.pdm.parameters import PdmParameters


def look_ahead_frames(dt: float, parameters: PdmParameters) -> np.ndarray:
    """Return the projected frames after each state: 0, 3, 6, 9 at 0.1 s and 0, 1, 2 at 0.5 s."""
    stride = max(1, round(parameters.ttc_step / dt))
    return np.arange(0, int(parameters.ttc_horizon / dt + 1e-9) + 1, stride)


def time_to_collision(
    states: np.ndarray,
    ego_corners: np.ndarray,
    observation: TrackObservation,
    areas: EgoAreas,
    *,
    dt: float,
    parameters: PdmParameters,
) -> tuple[np.ndarray, Violations]:
    """Return TTC (P,) and its violations.

    Each state is moved on at constant speed and heading and compared with the tracks of the later
    frame; pairs beyond the last track frame are left out.

    Args:
        states: (P, S, 11) rear-axle states; state s meets track frame s.
        ego_corners: (P, S, 4, 2) ego rectangles.
        observation: the tracks over at least S frames.
        areas: area flags of the same states.
        dt: time between states [s].
        parameters: thresholds.
    """
    num_proposals, num_states = states.shape[:2]
    frames = look_ahead_frames(dt, parameters)
    speed = np.hypot(states[..., StateIndex.VELOCITY_X], states[..., StateIndex.VELOCITY_Y])
    heading = states[..., StateIndex.HEADING]
    direction = np.stack([np.cos(heading), np.sin(heading)], axis=-1)
    contacts = []
    for rank, ahead in enumerate(frames):
        count = min(num_states, observation.num_frames - ahead)
        if count <= 0:
            continue
        shift = (ahead * dt * speed)[..., None] * direction
        moved = ego_corners[:, :count] + shift[:, :count, None]
        p, s, a = touching(moved, observation, np.arange(count) + ahead)
        contacts.append(np.stack([p, s, a, s + ahead, s * len(frames) + rank]))
    p, s, a, later, order = np.concatenate(contacts, axis=1)
    fast = speed[p, s] >= parameters.ttc_stopped_speed
    p, s, a, later, order = p[fast], s[fast], a[fast], later[fast], order[fast]
    angle = angle_to(states[p, s], observation.pose[a, later, :2])
    exposed = areas.multiple_lanes[p, s] | areas.non_drivable[p, s] | areas.in_intersection[p, s]
    behind = angle > np.deg2rad(parameters.behind_angle_deg)
    bad = (angle < np.deg2rad(parameters.ahead_angle_deg)) | (exposed & ~behind)
    found = first_violations(
        proposal=p, order=order, frame=s, track=a, bad=bad, shape=(num_proposals, len(observation.ids))
    )
    return np.where(found.counted.any(axis=1), 0.0, 1.0), found
