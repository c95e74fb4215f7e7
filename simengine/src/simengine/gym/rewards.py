"""What each decision earns: progress, what is lost by collisions and leaving the road, and the score at the end.

The rewards of an episode add up to

    progress * share of the reference's progress        (at most 1)
    - collision, once, after a collision at fault       (the scorer decides whose fault)
    - off_road, once, after leaving the drivable area
    + score * PDM score                                 (at the end, in [0, 1])

so that with weights of 1 a perfect drive earns almost 2 and an early crash about -1. The reference of the first term is
the logged ego; the PDM score is that of a run, which measures progress against PDM-Closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simengine.datatypes.state import SimState
from simengine.geometry import boxes, polyline
from simengine.geometry.se2 import shift_forward
from simengine.gym.settings import RewardWeights
from simengine.gym.stage import Stage
from simengine.metrics.pdm.ego_areas import ego_areas
from simengine.metrics.pdm.ego_geometry import ego_geometry

# Where the reference hardly moves, a little farther is no virtue: PDM's threshold [m].
LEAST_REFERENCE = 5.0


@dataclass(frozen=True)
class RewardTerms:
    """The parts of one reward, already weighted."""

    progress: float = 0.0
    collision: float = 0.0
    off_road: float = 0.0
    score: float = 0.0

    @property
    def total(self) -> float:
        """The reward."""
        return self.progress + self.collision + self.off_road + self.score


class RewardMeter:
    """Follows one episode.

    Args:
        stage: the scenario.
        weights: of the terms.
        start: the state at the first decision.
    """

    def __init__(self, stage: Stage, weights: RewardWeights, start: SimState) -> None:
        self._stage, self._weights = stage, weights
        self._line = np.asarray(stage.reference.centerline)[:, :2]
        self._origin = self._along(start)
        self._earned = 0.0
        self._frame = start.frame
        # Whoever touches the ego already at the start is nobody's fault.
        self._known_contacts = self._contacts(start, start.frame)
        self.collided = False
        self.left_road = False

    @property
    def violated(self) -> bool:
        """Whether the episode has a collision at fault or has left the road."""
        return self.collided or self.left_road

    def measure(self, state: SimState, at_fault: Callable[[], bool]) -> RewardTerms:
        """Return the terms of the decision that led to `state`, without the score.

        Args:
            state: after the decision.
            at_fault: says whether a collision up to `state` was the ego's fault; asked only after a contact.
        """
        first, self._frame = self._frame + 1, state.frame
        collision = off_road = 0.0
        contacts = self._contacts(state, first)
        if contacts - self._known_contacts and not self.collided and at_fault():
            self.collided, collision = True, -self._weights.collision
        self._known_contacts |= contacts
        if not self.left_road and self._off_road(state, first):
            self.left_road, off_road = True, -self._weights.off_road
        return RewardTerms(self._progress(state), collision, off_road)

    def score(self, score: float) -> RewardTerms:
        """Return the term of the PDM score at the end; an unknown score earns nothing."""
        return RewardTerms(score=0.0 if np.isnan(score) else self._weights.score * score)

    def _progress(self, state: SimState) -> float:
        """Return the change of the share of the reference's progress, which saturates at the reference."""
        reference = self._stage.reference_progress
        share = np.clip(self._along(state) - self._origin, 0.0, reference) / max(reference, LEAST_REFERENCE)
        gained, self._earned = float(share) - self._earned, float(share)
        return self._weights.progress * gained

    def _along(self, state: SimState) -> float:
        if len(self._line) < 2:
            return 0.0
        return float(polyline.project(self._line, self._centers(state.ego[None])[0, :2])[0])

    def _centers(self, states: np.ndarray) -> np.ndarray:
        return shift_forward(states[:, :3], self._stage.scenario.vehicle.rear_axle_to_center)

    def _ego_corners(self, state: SimState, first: int) -> np.ndarray:
        vehicle = self._stage.scenario.vehicle
        return boxes.corners(self._centers(state.ego_trail[first:]), vehicle.length, vehicle.width)

    def _contacts(self, state: SimState, first: int) -> frozenset[int]:
        """Return the rows of the agents that the ego touches between frame `first` and `state`."""
        frames = state.agent_trail[len(state.agent_trail) - (state.frame + 1 - first) :]
        present = np.stack([frame.present for frame in frames])
        pose = np.stack([frame.pose for frame in frames])
        size = self._stage.scenario.agents.size
        corners = boxes.corners(pose, size[:, 0], size[:, 1])
        touch = boxes.overlap(self._ego_corners(state, first)[:, None], corners) & present
        return frozenset(np.flatnonzero(touch.any(axis=0)).tolist())

    def _off_road(self, state: SimState, first: int) -> bool:
        stage = self._stage
        ego = ego_geometry(state.ego_trail[None, first:], stage.scenario.vehicle)
        return bool(ego_areas(ego, stage.drivable, stage.route_lanes).non_drivable.any())
