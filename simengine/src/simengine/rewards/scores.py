"""The scores of all entries of a vocabulary at one instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from simengine.rewards.columns import COLUMNS


@dataclass(frozen=True)
class VocabularyScores:
    """Sub-scores (K,) of K entries, each as in an official evaluation of that entry alone.

    A column that cannot be known is all NaN, and `unknown` says why.

    Attributes:
        token: id of the scenario.
        step: number of the decision, 0 for the first one of an episode.
        mode: of the rewards.
        no_at_fault_collisions: NC: 0, 0.5 or 1.
        drivable_area_compliance: DAC: 0 or 1.
        ego_progress: EP, as a share of the reference's progress or of the entry's own if that is more.
        time_to_collision_within_bound: TTC: 0 or 1.
        comfort: C: 0 or 1.
        driving_direction_compliance: DDC: 0, 0.5 or 1; has weight 0.
        lane_keeping: LK: 0 or 1; has weight 0.
        score: the PDM score.
        reference_progress: progress of the reference [m], NaN if unknown.
        reference: who it is: `pdm_closed`, `pdm_closed_on_logged_path` or `logged_ego`.
        unknown: why a column is NaN, by name.
    """

    token: str
    step: int
    mode: str
    no_at_fault_collisions: np.ndarray
    drivable_area_compliance: np.ndarray
    ego_progress: np.ndarray
    time_to_collision_within_bound: np.ndarray
    comfort: np.ndarray
    driving_direction_compliance: np.ndarray
    lane_keeping: np.ndarray
    score: np.ndarray
    reference_progress: float = float("nan")
    reference: str = ""
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """All columns by name."""
        return {name: getattr(self, name) for name in COLUMNS}

    @property
    def size(self) -> int:
        """Number of entries K."""
        return len(self.score)


def unknown_scores(token: str, step: int, mode: str, size: int, reason: str) -> VocabularyScores:
    """Return scores of `size` entries of which nothing is known."""
    columns = {name: np.full(size, np.nan) for name in COLUMNS}
    return VocabularyScores(token, step, mode, **columns, unknown=dict.fromkeys(COLUMNS, reason))
