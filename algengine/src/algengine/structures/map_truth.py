"""What the map head learns from, and what it answers.

n elements; masks have the rows and columns of the label grid, y along rows and x along columns, low end first.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmengine.structures import BaseDataElement
from torch import Tensor

MAP_CLASSES = ("divider", "crossing", "contour")
"""Names of the classes of map elements; their index is the label."""


class MapTruth(BaseDataElement):
    """Map elements around the ego at the last frame of a clip.

    Attributes:
        gt_map_labels: (n,) int64, index into `MAP_CLASSES`.
        gt_map_boxes: (n, 4) centre x, y and size along x, y, as fractions of the label grid.
        gt_map_masks: (n, rows, cols) bool.
        gt_map_drivable: (rows, cols) bool.
    """

    @property
    def gt_map_labels(self) -> Tensor:
        """Class of each element (n,)."""
        return self._gt_map_labels

    @gt_map_labels.setter
    def gt_map_labels(self, value: Tensor) -> None:
        self.set_field(value, "_gt_map_labels", dtype=Tensor)

    @property
    def gt_map_boxes(self) -> Tensor:
        """Box of each element (n, 4)."""
        return self._gt_map_boxes

    @gt_map_boxes.setter
    def gt_map_boxes(self, value: Tensor) -> None:
        self.set_field(value, "_gt_map_boxes", dtype=Tensor)

    @property
    def gt_map_masks(self) -> Tensor:
        """Mask of each element (n, rows, cols)."""
        return self._gt_map_masks

    @gt_map_masks.setter
    def gt_map_masks(self, value: Tensor) -> None:
        self.set_field(value, "_gt_map_masks", dtype=Tensor)

    @property
    def gt_map_drivable(self) -> Tensor:
        """Drivable area (rows, cols)."""
        return self._gt_map_drivable

    @gt_map_drivable.setter
    def gt_map_drivable(self, value: Tensor) -> None:
        self.set_field(value, "_gt_map_drivable", dtype=Tensor)


@dataclass(frozen=True)
class MapPrediction:
    """Map elements that the head found in one frame, best first; no cell belongs to two of one class.

    Attributes:
        labels: (n,) int64, index into `MAP_CLASSES`.
        scores: (n,) in [0, 1].
        masks: (n, rows, cols) bool.
        drivable: (rows, cols) bool.
    """

    labels: Tensor
    scores: Tensor
    masks: Tensor
    drivable: Tensor
