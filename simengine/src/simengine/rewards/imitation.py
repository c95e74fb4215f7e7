"""Which entry of a vocabulary is closest to what the logged ego did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.geometry.se2 import points_to_local, shift_forward
from simengine.metrics.pdm.from_scenario import logged_states
from simengine.rewards.published import LOG_DT, PublishedLog
from simengine.rewards.vocabulary import HORIZON, Vocabulary
from simengine.scenario.scenario import Scenario


@dataclass(frozen=True)
class Imitation:
    """The entry to imitate.

    Attributes:
        index: row of the vocabulary, -1 where the log has ended.
        target: (T, 2) where the logged ego went, 0.5 s apart, T <= 8: fewer where the log ends.
    """

    index: int
    target: np.ndarray


def nearest_entry(vocabulary: Vocabulary, scenario: Scenario, time_us: int, pose: np.ndarray) -> Imitation:
    """Return the entry whose rear axle stays closest to the logged one over the whole horizon.

    Closest is the smallest mean squared distance over all poses up to 4 s ahead that the log covers. The target is
    the logged rear axle in the present ego frame.

    Args:
        vocabulary: the entries, followed exactly.
        scenario: the log, at any rate.
        time_us: time now.
        pose: (3,) rear axle of the ego now, in world.
    """
    frame = int(np.searchsorted(scenario.timestamps_us, time_us, side="right")) - 1
    elapsed_before = (time_us - scenario.timestamps_us[frame]) * 1e-6
    times = vocabulary.dt * np.arange(1, int(HORIZON / vocabulary.dt + 1e-6) + 1)
    driven = logged_states(scenario, frame, elapsed_before + times)[:, :2]
    target = logged_states(scenario, frame, elapsed_before + LOG_DT * np.arange(1, 9))[:, :2]
    if not len(driven):
        return Imitation(-1, np.zeros((0, 2)))
    gap = vocabulary.plans[:, : len(driven), :2] - points_to_local(pose, driven)
    return Imitation(int(np.argmin((gap**2).sum(-1).mean(-1))), points_to_local(pose, target))


def published_entry(vocabulary: Vocabulary, log: PublishedLog, step: int, pose: np.ndarray) -> Imitation:
    """Return the published choice: the entry whose box centre is closest to the logged one after 0.5 s.

    The target is the logged box centre less the present one, in the axes of the world.

    Args:
        vocabulary: the entries, followed exactly.
        log: the 2 Hz log.
        step: number of the decision.
        pose: (3,) rear axle of the ego now, in world.
    """
    forward = log.log.vehicle.rear_axle_to_center
    frame = log.log.initial_frame + step
    driven = shift_forward(log.log.ego.pose[frame + 1 : frame + 9], forward)[:, :2]
    if not len(driven):
        return Imitation(-1, np.zeros((0, 2)))
    first = max(round(LOG_DT / vocabulary.dt), 1) - 1
    centers = shift_forward(vocabulary.plans[:, first], forward)[:, :2]
    gap = centers - points_to_local(pose, driven[:1])
    return Imitation(int(np.argmin((gap**2).sum(-1))), driven - shift_forward(pose, forward)[:2])
