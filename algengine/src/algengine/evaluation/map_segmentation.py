"""How much of the map a planner's perception sees: intersection over union of each kind of map element.

Intersections and unions are summed over all samples before they are divided, so every cell counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from algengine.registry import METRICS
from algengine.structures.map_truth import MAP_CLASSES

KINDS = ("drivable", "lanes", *MAP_CLASSES)
"""What is measured: the drivable area, elements of any class, and those of each class."""


def cells_of(labels: Tensor, masks: Tensor, drivable: Tensor) -> Tensor:
    """Return which cells belong to each of `KINDS` (5, rows, cols) bool.

    Args:
        labels: (n,) index into `MAP_CLASSES`.
        masks: (n, rows, cols) bool.
        drivable: (rows, cols) bool.
    """
    classes = [masks[labels == label].any(0) for label in range(len(MAP_CLASSES))]
    return torch.stack([drivable, masks.any(0), *classes])


def overlap(found: Tensor, true: Tensor) -> Tensor:
    """Return the number of cells in the intersection and in the union (5, 2) of `cells_of` both."""
    return torch.stack([(found & true).sum((1, 2)), (found | true).sum((1, 2))], dim=-1)


def sample_overlap(sample: Mapping) -> Tensor:
    """Return the counts (5, 2) of a sample with `gt_map_*` and `pred_map`, see `overlap`."""
    found = sample["pred_map"]
    true = (sample[f"gt_map_{name}"].cpu() for name in ("labels", "masks", "drivable"))
    seen = cells_of(found.labels.cpu(), found.masks.cpu(), found.drivable.cpu())
    return overlap(seen, cells_of(*true))


def intersection_over_union(counts: Sequence[Tensor]) -> dict[str, float]:
    """Return the score of each of `KINDS` from counts (5, 2) of all samples; NaN for one that nowhere exists."""
    both, either = torch.stack(list(counts)).sum(0).double().unbind(-1)
    return dict(zip(KINDS, (both / either).tolist(), strict=True))


@METRICS.register_module()
class MapIoUMetric(BaseMetric):
    """Intersection over union of `KINDS` in the last frame of each clip, see `PansegformerHead`."""

    default_prefix = "map_iou"

    def process(self, data_batch: dict, data_samples: Sequence[Mapping]) -> None:
        """Keep the counts of each sample, which has `gt_map_*` and `pred_map`."""
        self.results += [sample_overlap(sample) for sample in data_samples]

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """Return the scores over all samples."""
        return intersection_over_union(results)
