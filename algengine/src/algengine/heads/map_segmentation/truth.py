"""The map elements of a batch, one sample after the other.

B batch, n elements of the whole batch, rows x cols label cells.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.structures.map_truth import MapTruth
from simengine.errors import ConfigError


@dataclass(frozen=True)
class BatchTruth:
    """What the samples of a batch show.

    Attributes:
        spans: first element and one after the last of each sample.
        labels: (n,).
        boxes: (n, 4).
        masks: (n, rows * cols) float.
        drivable: (B, rows * cols) float.
    """

    spans: tuple[tuple[int, int], ...]
    labels: Tensor
    boxes: Tensor
    masks: Tensor
    drivable: Tensor

    @classmethod
    def collect(cls, samples: Sequence[MapTruth], size: tuple[int, int]) -> BatchTruth:
        """Return the elements of `samples`, whose masks must have `size`.

        Raises:
            ConfigError: a mask has another size.
        """
        for sample in samples:
            if sample.gt_map_drivable.shape != size:
                raise ConfigError(
                    f"map labels have {tuple(sample.gt_map_drivable.shape)} cells, expected {size}, the cells of the "
                    "map times `upsample` of the map head: make the grids of labels and encoder agree"
                )
        ends = list(itertools.accumulate(len(sample.gt_map_labels) for sample in samples))
        return cls(
            tuple(zip([0, *ends[:-1]], ends, strict=True)),
            torch.cat([sample.gt_map_labels for sample in samples]),
            torch.cat([sample.gt_map_boxes for sample in samples]),
            torch.cat([sample.gt_map_masks for sample in samples]).flatten(1).float(),
            torch.stack([sample.gt_map_drivable for sample in samples]).flatten(1).float(),
        )
