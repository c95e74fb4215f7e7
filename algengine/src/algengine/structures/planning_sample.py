"""Ground truth and predictions of one clip of Q frames."""

from __future__ import annotations

from torch import Tensor

from algengine.structures.map_truth import MapTruth
from algengine.structures.objects import ClipObjects, FoundObjects


class PlanningDataSample(MapTruth):
    """What a clip should and did lead to, and what was around it; metainfo holds `token` and `first_frame`.

    Attributes:
        gt_trajectory: (Q, T, 3) driven future of each frame in its ego frame [m, m, rad].
        gt_valid: (Q, T) whether that future was recorded.
        gt_sub_scores: (Q, S, K) true sub-scores of every plan, in the order of `heads.sub_score_heads.SUB_SCORES`; NaN
            where unknown. Not every data set has them.
        gt_objects: road users and obstacles, see `ClipObjects`. Perception only.
        pred_objects: those found, see `FoundObjects`.
        pred_trajectory: (Q, T, 3) chosen plan.
        pred_index: (Q,) its row in the vocabulary.
        pred_scores: (Q, K) score of each row.
    """

    @property
    def gt_trajectory(self) -> Tensor:
        """Driven future (Q, T, 3)."""
        return self._gt_trajectory

    @gt_trajectory.setter
    def gt_trajectory(self, value: Tensor) -> None:
        self.set_field(value, "_gt_trajectory", dtype=Tensor)

    @property
    def gt_valid(self) -> Tensor:
        """Recorded part of the future (Q, T)."""
        return self._gt_valid

    @gt_valid.setter
    def gt_valid(self, value: Tensor) -> None:
        self.set_field(value, "_gt_valid", dtype=Tensor)

    @property
    def gt_sub_scores(self) -> Tensor:
        """Sub-scores of every plan (Q, S, K)."""
        return self._gt_sub_scores

    @gt_sub_scores.setter
    def gt_sub_scores(self, value: Tensor) -> None:
        self.set_field(value, "_gt_sub_scores", dtype=Tensor)

    @property
    def gt_objects(self) -> ClipObjects:
        """Labelled objects."""
        return self._gt_objects

    @gt_objects.setter
    def gt_objects(self, value: ClipObjects) -> None:
        self.set_field(value, "_gt_objects", dtype=ClipObjects)

    @property
    def pred_objects(self) -> FoundObjects:
        """Objects found."""
        return self._pred_objects

    @pred_objects.setter
    def pred_objects(self, value: FoundObjects) -> None:
        self.set_field(value, "_pred_objects", dtype=FoundObjects)

    @property
    def pred_trajectory(self) -> Tensor:
        """Chosen plan (Q, T, 3)."""
        return self._pred_trajectory

    @pred_trajectory.setter
    def pred_trajectory(self, value: Tensor) -> None:
        self.set_field(value, "_pred_trajectory", dtype=Tensor)

    @property
    def pred_index(self) -> Tensor:
        """Vocabulary row of the chosen plan (Q,)."""
        return self._pred_index

    @pred_index.setter
    def pred_index(self, value: Tensor) -> None:
        self.set_field(value, "_pred_index", dtype=Tensor)

    @property
    def pred_scores(self) -> Tensor:
        """Score of each vocabulary row (Q, K)."""
        return self._pred_scores

    @pred_scores.setter
    def pred_scores(self, value: Tensor) -> None:
        self.set_field(value, "_pred_scores", dtype=Tensor)
