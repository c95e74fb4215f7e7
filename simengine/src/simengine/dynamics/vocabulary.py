"""A fixed set of plans, simulated from many states."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.reference import reference_profile
from simengine.dynamics.rules import NAVSIM_V1, TrackerRules
from simengine.dynamics.simulate import simulate


class VocabularySimulator:
    """Simulates the same plans again and again; their speeds and curvatures are fitted once."""

    def __init__(
        self,
        plans: np.ndarray,
        dt: float,
        vehicle: VehicleParams | None = None,
        rules: TrackerRules = NAVSIM_V1,
    ) -> None:
        """Fit the plans.

        Args:
            plans: (K, N, 3) poses x, y, yaw in the ego frame, `dt` apart, the first one `dt` from now.
            dt: [s].
            vehicle: dimensions, by default the Pacifica.
            rules: the published tracker or the corrected one.
        """
        self._poses = with_present_pose(plans)
        self._dt = dt
        self._vehicle = vehicle or VehicleParams()
        self._rules = rules
        self._profile = reference_profile(self._poses, dt, rules)

    def simulate(self, state: np.ndarray, threads: int | None = None) -> np.ndarray:
        """Return the states (K, N + 1, 11) of a car that starts at `state` (11,) and tracks each plan.

        Args:
            state: the state now, in the world frame.
            threads: at most this many, by default one per core; the result is the same.
        """
        return simulate(
            state,
            self._poses,
            self._vehicle,
            self._dt,
            frame=state[:3],
            rules=self._rules,
            profile=self._profile,
            threads=threads,
        )


def with_present_pose(plans: np.ndarray) -> np.ndarray:
    """Return plans (K, N, 3) in the ego frame with the pose of the ego in front: (K, N + 1, 3)."""
    return np.concatenate([np.zeros((len(plans), 1, 3)), plans], axis=1)
