"""Random reference paths for the tracker: ordinary, stopped, reversing, sharply turning, barely moving."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.ego import STATE_SIZE, StateIndex

KINDS = ("ordinary", "stopped", "reversing", "sharp", "creeping", "stopping")


def make_paths(kind: str, count: int, intervals: int = 40, dt: float = 0.1, seed: int = 0) -> np.ndarray:
    """Return poses (count, intervals + 1, 3) that start at the origin."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    time = np.arange(intervals) * dt
    first, change = rng.uniform(0.5, 15.0, (count, 1)), rng.uniform(-2.0, 2.0, (count, 1))
    speed = np.maximum(first + change * time, 0.0)
    bend = np.cumsum(rng.normal(0.0, 0.01, (count, intervals)), axis=1)
    if kind == "stopped":
        speed = np.zeros_like(speed)
    elif kind == "reversing":
        speed = -0.3 * speed
    elif kind == "sharp":
        speed, bend = 0.4 * speed, 10.0 * bend
    elif kind == "creeping":
        speed = rng.normal(0.0, 1e-3, speed.shape)
    elif kind == "stopping":
        speed = np.maximum(speed * (1.0 - time / 2.0), 0.0)
    yaw = np.cumsum(speed * bend * dt, axis=1)
    yaw = np.concatenate([np.zeros((count, 1)), yaw], axis=1) + rng.normal(0.0, 0.02, (count, intervals + 1))
    steps = speed[..., None] * dt * np.stack([np.cos(yaw[:, :-1]), np.sin(yaw[:, :-1])], axis=-1)
    xy = np.concatenate([np.zeros((count, 1, 2)), np.cumsum(steps, axis=1)], axis=1)
    xy += rng.normal(0.0, 1e-3, xy.shape)
    return np.concatenate([xy, yaw[..., None]], axis=-1)


def make_state(speed: float = 6.0, pose: tuple[float, float, float] = (0.3, -0.2, 0.05)) -> np.ndarray:
    """Return a car that is already moving, turning and accelerating."""
    state = np.zeros(STATE_SIZE)
    state[:3] = pose
    state[StateIndex.VELOCITY_X], state[StateIndex.VELOCITY_Y] = speed, 0.05
    state[StateIndex.ACCELERATION_X], state[StateIndex.ACCELERATION_Y] = 0.4, -0.1
    state[StateIndex.STEERING_ANGLE], state[StateIndex.STEERING_RATE] = 0.03, 0.01
    state[StateIndex.ANGULAR_VELOCITY] = 0.06
    return state
