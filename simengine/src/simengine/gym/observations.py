"""The two kinds of observations: each has a space and a way to read it off the simulation."""

from __future__ import annotations

from typing import Protocol

import gymnasium
import numpy as np

from simengine.datatypes.ego import StateIndex
from simengine.datatypes.observation import DrivingCommand, Observation
from simengine.datatypes.state import SimState
from simengine.gym.settings import EnvSettings
from simengine.gym.stage import Stage
from simengine.gym.state_vector import FAST, HARD, LIMIT, blocks, state_vector

EGO = "ego"


class Observations(Protocol):
    """Shows an agent what it may know."""

    space: gymnasium.Space

    def read(self, seen: Observation, state: SimState, stage: Stage, remaining: float) -> object:
        """Return an element of `space`.

        Args:
            seen: what a planner would be told.
            state: the world.
            stage: the scenario.
            remaining: share of the horizon that is left.
        """
        ...


class StateObservations:
    """One vector; see `state_vector.py`."""

    def __init__(self, history_length: int) -> None:
        size = sum(blocks(history_length).values())
        self.space = gymnasium.spaces.Box(-LIMIT, LIMIT, (size,), np.float32)

    def read(self, seen: Observation, state: SimState, stage: Stage, remaining: float) -> np.ndarray:
        """See `Observations.read`."""
        return state_vector(seen, state, stage, remaining)


class CameraObservations:
    """Images (H, W, 3) uint8 RGB by channel, and a vector `ego`: what a car knows of itself, no more.

    The vector holds forward speed, acceleration, yaw rate, steering, then the history and the command as in the state
    observation.
    """

    def __init__(self, settings: EnvSettings) -> None:
        size = 4 + 3 * (settings.protocol.history_length - 1) + len(DrivingCommand)
        shape = (settings.height_px, settings.width_px, 3)
        images = {name: gymnasium.spaces.Box(0, 255, shape, np.uint8) for name in settings.cameras}
        self.space = gymnasium.spaces.Dict(
            {**images, EGO: gymnasium.spaces.Box(-LIMIT, LIMIT, (size,), np.float32)}
        )
        self._cameras = settings.cameras

    def read(
        self, seen: Observation, state: SimState, stage: Stage, remaining: float
    ) -> dict[str, np.ndarray]:
        """See `Observations.read`."""
        ego = state.ego
        own = [
            ego[StateIndex.VELOCITY_X] / FAST,
            ego[StateIndex.ACCELERATION_X] / HARD,
            ego[StateIndex.ANGULAR_VELOCITY],
            ego[StateIndex.STEERING_ANGLE],
        ]
        history = (seen.ego_history[:-1] / np.array([FAST, FAST, np.pi])).ravel()
        command = np.eye(len(DrivingCommand))[int(seen.command_history[-1])]
        vector = np.clip(np.concatenate([own, history, command]), -LIMIT, LIMIT).astype(np.float32)
        return {**{name: seen.images[name].copy() for name in self._cameras}, EGO: vector}


def make_observations(settings: EnvSettings) -> Observations:
    """Return the observations that the settings name."""
    if settings.observation == "camera":
        return CameraObservations(settings)
    return StateObservations(settings.protocol.history_length)
