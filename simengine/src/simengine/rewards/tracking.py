"""From the entries of a vocabulary to what a car would really drive, from any state."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.proposals import reference_poses
from simengine.dynamics.rules import TrackerRules
from simengine.dynamics.simulate import simulate
from simengine.dynamics.vocabulary import VocabularySimulator
from simengine.rewards.modes import DT, NUM_STATES
from simengine.rewards.vocabulary import Vocabulary


class EntryTracking:
    """Simulates the entries of a vocabulary for one vehicle.

    Entries at 10 Hz are taken as they are, so that speeds and curvatures are fitted once and for all. Entries at
    another rate are sampled at every call as NAVSIM samples a submitted trajectory.
    """

    def __init__(self, vocabulary: Vocabulary, vehicle: VehicleParams, rules: TrackerRules) -> None:
        self.vehicle = vehicle
        self._vocabulary, self._rules = vocabulary, rules
        self._simulator = None
        if abs(vocabulary.dt - DT) < 1e-9:
            plans = vocabulary.plans[:, : NUM_STATES - 1]
            self._simulator = VocabularySimulator(plans, DT, vehicle, rules)

    def states(self, ego: np.ndarray, time_us: int, threads: int | None = None) -> np.ndarray:
        """Return states (K, 41, 11) from the state `ego` (11,) at `time_us` on.

        Args:
            ego: in world.
            time_us: microseconds since 1970; its rounding is part of NAVSIM's sampling.
            threads: at most this many, by default one per core; the result is the same.
        """
        if self._simulator is not None:
            return self._simulator.simulate(ego, threads)
        plans, dt = self._vocabulary.plans, self._vocabulary.dt
        poses = reference_poses(plans, dt, ego[:3], time_us, steps=NUM_STATES - 1, step=DT, threads=threads)
        return simulate(ego, poses, self.vehicle, DT, rules=self._rules, threads=threads)
