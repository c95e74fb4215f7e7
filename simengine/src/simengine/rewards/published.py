"""Instants as the published dense rewards see them: the log at 2 Hz, whatever was simulated.

The facts are those of WorldEngine's dense reward manager; docs/rewards.md says which of its slips are kept.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentStates, AgentTracks, AgentType
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import rotate, shift_forward
from simengine.rewards.modes import DT, NUM_STATES
from simengine.rewards.moment import Moment, log_ends_early
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario

LOG_DT = 0.5
HISTORY_FRAMES = 3
"""Logged frames before the first decision, 1.5 s."""

LAST_OBSERVED = 19
"""Frame of the episode whose agents PDM-Closed is shown at every instant, 8 s after the first decision."""

EGO = "ego"


class PublishedLog:
    """The 2 Hz log of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.log = resample(scenario, LOG_DT)
        first = max(self.log.initial_frame - HISTORY_FRAMES, 0)
        tracks = self.log.agents
        # Sizes are those of the first frame; whoever appears later has none and is a point.
        self._size = np.where(tracks.valid[:, first, None], tracks.size, 0.0)

    def moment(self, step: int, ego: np.ndarray) -> Moment:
        """Return the instant of decision `step`, half a second after the one before.

        Args:
            step: 0 for the first decision.
            ego: (11,) state of the simulated ego.
        """
        log = self.log
        frame = log.initial_frame + step
        known = (log.num_frames - 1 - frame) * LOG_DT
        missing = log_ends_early(known, NUM_STATES)
        tracks = AgentTracks.empty(NUM_STATES) if missing else self._tracks(frame)
        time_us = int(log.timestamps_us[log.initial_frame]) + round(step * LOG_DT * 1e6)
        state = published_ego(ego, log.vehicle.rear_axle_to_center)
        return Moment(log.token, step, time_us, state, tracks, self._seen(), (), missing)

    def _tracks(self, frame: int) -> AgentTracks:
        tracks = self.log.agents
        at = slice(frame, frame + round((NUM_STATES - 1) * DT / LOG_DT) + 1)
        pose, velocity, valid = hold_between(tracks.pose[:, at], tracks.velocity[:, at], tracks.valid[:, at])
        return AgentTracks(tracks.ids, tracks.types, pose, velocity, self._size, valid)

    def _seen(self) -> AgentStates:
        """Everyone at the last frame of the buffer, the logged ego among them as a vehicle."""
        log, tracks, vehicle = self.log, self.log.agents, self.log.vehicle
        frame = min(log.initial_frame - HISTORY_FRAMES + LAST_OBSERVED, log.num_frames - 1)
        index = np.flatnonzero(tracks.valid[:, frame])
        own = shift_forward(log.ego.pose[frame], vehicle.rear_axle_to_center)
        return AgentStates(
            (*(tracks.ids[i] for i in index), EGO),
            np.append(tracks.types[index], np.int8(AgentType.VEHICLE)),
            np.vstack([tracks.pose[index, frame], own]),
            np.vstack([tracks.velocity[index, frame], rotate(log.ego.velocity[frame], own[2])]),
            np.vstack([self._size[index], [vehicle.length, vehicle.width, vehicle.height]]),
        )


def published_ego(ego: np.ndarray, rear_axle_to_center: float) -> np.ndarray:
    """Return a state (11,) with the velocity of the box centre and no acceleration, steering or yaw terms."""
    state = np.zeros(STATE_SIZE)
    state[:5] = ego[:5]
    state[StateIndex.VELOCITY_Y] += ego[StateIndex.ANGULAR_VELOCITY] * rear_axle_to_center
    return state


def hold_between(
    pose: np.ndarray, velocity: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tracks of T frames 0.5 s apart as tracks of 5 (T - 1) + 1 frames 0.1 s apart.

    Between two frames a track moves straight and turns the short way. One that is missing at the next frame stays
    where it is until then; one that appears there appears there only.

    Args:
        pose: (A, T, 3).
        velocity: (A, T, 2).
        valid: (A, T).
    """
    parts = round(LOG_DT / DT)
    frames = np.arange(parts * (pose.shape[1] - 1) + 1)
    before = frames // parts
    after = np.minimum(before + 1, pose.shape[1] - 1)
    share = np.where(valid[:, after], (frames % parts) / parts, 0.0)[..., None]
    turned = wrap(pose[:, after, 2:] - pose[:, before, 2:])
    moved = np.concatenate([pose[:, after, :2] - pose[:, before, :2], turned], axis=-1)
    dense = pose[:, before] + share * moved
    dense[..., 2] = wrap(dense[..., 2])
    speed = velocity[:, before] + share * (velocity[:, after] - velocity[:, before])
    there = valid[:, before]
    return np.where(there[..., None], dense, 0.0), np.where(there[..., None], speed, 0.0), there
