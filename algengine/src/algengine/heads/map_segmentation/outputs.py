"""What the map head finds before masks of elements are made.

B batch, D decoder layers, Q queries, K classes, S label cells, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class MapOutputs:
    """Outputs of one forward pass.

    Attributes:
        logits: (B, D, Q, K) class of each query after each decoder layer.
        boxes: (B, D, Q, 4) its box as fractions of the map.
        queries: (B, Q, C) after the last layer.
        stuff_logits: (B, blocks) whether there is a drivable area.
        stuff_masks: (B, S) drivable area after each block, and the answer.
        cells: (B, S, C) encoded label cells.
        position: (S, C) their code.
        size: rows and columns of label cells.
    """

    logits: Tensor
    boxes: Tensor
    queries: Tensor
    stuff_logits: Tensor
    stuff_masks: list[Tensor]
    cells: Tensor
    position: Tensor
    size: tuple[int, int]
