"""A plan: the future an ego policy intends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.errors import PlanError


@dataclass(frozen=True)
class Plan:
    """Intended future poses of the rear axle.

    Attributes:
        poses: (N, 3) x, y [m] and yaw [rad] in the ego frame of the decision step; the first pose is
            `dt` after it.
        dt: time between poses [s].
        vocabulary_index: row of the planner's vocabulary, if it has one.
        scores: (K,) score of each vocabulary entry, if asked for.
        log_probs: (K,) log-probability of each vocabulary entry, if asked for.
    """

    poses: np.ndarray
    dt: float
    vocabulary_index: int | None = None
    scores: np.ndarray | None = None
    log_probs: np.ndarray | None = None

    def __post_init__(self) -> None:
        poses = np.asarray(self.poses, dtype=np.float64)
        object.__setattr__(self, "poses", poses)
        if poses.ndim != 2 or poses.shape[1] != 3 or len(poses) == 0:
            raise PlanError(
                f"a plan has poses of shape {poses.shape}, expected (N, 3) with N >= 1: x, y, yaw in the ego frame"
            )
        if not np.isfinite(poses).all():
            raise PlanError("a plan holds NaN or infinite poses, expected finite metres and radians")
        if not (np.isfinite(self.dt) and self.dt > 0):
            raise PlanError(f"a plan has dt = {self.dt}, expected seconds > 0")

    @property
    def horizon(self) -> float:
        """Time of the last pose [s]."""
        return len(self.poses) * self.dt
