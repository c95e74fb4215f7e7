"""Pretending that the ego stands beside its recorded path, so that the planner learns to come back.

Recordings of good driving never show how to recover. Because the encoder places camera features by calibration, a
sample can be told from a displaced ego frame without new images: the cameras are then mounted a little differently,
and the future to imitate starts at the displaced pose and returns smoothly to what was driven.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry.angles import wrap
from simengine.geometry.se2 import to_local, to_parent


@dataclass(frozen=True)
class Perturbation:
    """How often and how far the ego frame is displaced.

    Attributes:
        probability: share of clips that are displaced.
        lateral: standard deviation sideways [m].
        yaw: standard deviation of the heading [rad].
        return_time: time after which the future is back on the recorded path [s].
        min_speed: slower clips are left alone, because a standing car cannot come back [m/s].
    """

    probability: float = 0.0
    lateral: float = 0.4
    yaw: float = 0.03
    return_time: float = 2.5
    min_speed: float = 2.0

    def draw(self, rng: np.random.Generator, speed: float) -> np.ndarray | None:
        """Return a displaced ego frame (3,) in the real one, or None to leave the clip alone."""
        if rng.random() >= self.probability or speed < self.min_speed:
            return None
        limit = 2.0
        lateral, yaw = np.clip(rng.standard_normal(2), -limit, limit) * (self.lateral, self.yaw)
        return np.array([0.0, lateral, yaw])


def displaced_future(future: np.ndarray, shift: np.ndarray, dt: float, return_time: float) -> np.ndarray:
    """Return the future to imitate (T, 3) in the displaced frame `shift` (3,).

    Sideways distance and heading error fade with a cubic that starts and ends flat; the heading follows the slope of
    the blend, so that the path can be driven.

    Args:
        future: (T, 3) driven poses in the real ego frame.
        shift: (3,) displaced ego frame in the real one.
        dt: time between poses [s].
        return_time: see `Perturbation`.
    """
    local = to_local(shift, future)
    fade, rate = _fade(np.arange(1, len(future) + 1) * dt / return_time)
    # The start pose of the recorded path as seen from the displaced frame; it fades to nothing.
    gap = to_local(shift, np.zeros((1, 3)))[0]
    normal = np.stack([-np.sin(local[:, 2]), np.cos(local[:, 2])], axis=-1)
    blended = local.copy()
    blended[:, :2] -= (fade * gap[1])[:, None] * normal
    speed = np.maximum(np.linalg.norm(np.gradient(local[:, :2], dt, axis=0), axis=-1), 1.0)
    slope = -gap[1] * rate / return_time / speed
    blended[:, 2] = wrap(local[:, 2] - fade * gap[2] + slope)
    return blended


def displaced_motion(motion: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return poses (M, 3), given between real ego frames, between frames displaced by `shift` (3,) at both ends."""
    displaced_here = np.stack([to_parent(pose, shift[None])[0] for pose in motion])
    return to_local(shift, displaced_here)


def _fade(phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 1 - smoothstep(phase) and its derivative."""
    p = np.clip(phase, 0.0, 1.0)
    return 1.0 - p * p * (3.0 - 2.0 * p), -6.0 * p * (1.0 - p)
