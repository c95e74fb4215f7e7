"""Which queries answer for which elements of a batch.

B batch, D decoder layers, Q queries, K classes, m pairs, c candidates of a sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from algengine.heads.map_segmentation.outputs import MapOutputs
from algengine.heads.map_segmentation.truth import BatchTruth
from algengine.losses.map_segmentation_matching import assign, dice_cost, location_cost

CANDIDATES_PER_ELEMENT = 3
_CLASSES_WITH_MASKS = 2.0


@dataclass(frozen=True)
class Pairs:
    """Queries and the elements that they answer for.

    Attributes:
        sample: (m,) index into the batch.
        query: (m,) index into the queries, or into the candidates.
        element: (m,) index into the elements of the batch.
    """

    sample: Tensor
    query: Tensor
    element: Tensor

    def __len__(self) -> int:
        return len(self.sample)

    @classmethod
    def join(cls, found: list[tuple[Tensor, Tensor]], truth: BatchTruth) -> Pairs:
        """Return the pairs of all samples from query and element (within its sample) of each, on the host."""
        counts = torch.tensor([len(query) for query, _ in found])
        starts = [start for start, _ in truth.spans]
        parts = (
            torch.repeat_interleave(torch.arange(len(found)), counts),
            torch.cat([query for query, _ in found]),
            torch.cat([element + start for (_, element), start in zip(found, starts, strict=True)]),
        )
        return cls(*(part.to(truth.labels.device, non_blocking=True) for part in parts))


@dataclass(frozen=True)
class Candidates:
    """Queries that get a mask in training.

    Attributes:
        queries: (B, c); samples with fewer candidates are filled up with query 0.
        counts: candidates of each sample.
    """

    queries: Tensor
    counts: tuple[int, ...]


def match_locations(outputs: MapOutputs, truth: BatchTruth) -> tuple[list[Pairs], Candidates]:
    """Return the pairs of each decoder layer by class and box, and candidates for masks by those of the last.

    Costs go to the host once per sample, for all layers together.
    """
    layers: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(outputs.logits.shape[1])]
    queries = []
    for i, (start, end) in enumerate(truth.spans):
        gt = truth.labels[start:end], truth.boxes[start:end]
        cost = location_cost(outputs.logits[i].detach(), outputs.boxes[i].detach(), *gt).cpu()
        for layer, each in zip(layers, cost, strict=True):
            layer.append(assign(each))
        queries.append(assign(cost[-1], CANDIDATES_PER_ELEMENT)[0])
    counts = tuple(len(each) for each in queries)
    # One column at least, so that the mask decoder takes part in every step.
    filled = torch.zeros(len(queries), max(1, *counts), dtype=torch.long)
    for row, each in zip(filled, queries, strict=True):
        row[: len(each)] = each
    candidates = Candidates(filled.to(truth.labels.device, non_blocking=True), counts)
    return [Pairs.join(layer, truth) for layer in layers], candidates


def match_masks(outputs: MapOutputs, candidates: Candidates, masks: Tensor, truth: BatchTruth) -> Pairs:
    """Return pairs of candidates and elements by class, box and mask.

    Args:
        outputs: of the head.
        candidates: see `match_locations`.
        masks: (B, c, rows * cols) masks of the candidates.
        truth: elements of the batch.
    """
    found = []
    for i, ((start, end), count) in enumerate(zip(truth.spans, candidates.counts, strict=True)):
        queries = candidates.queries[i, :count]
        last = outputs.logits[i, -1, queries].detach(), outputs.boxes[i, -1, queries].detach()
        gt = truth.labels[start:end], truth.boxes[start:end]
        cost = location_cost(*last, *gt, classes=_CLASSES_WITH_MASKS)
        cost = cost + dice_cost(masks[i, :count].detach(), truth.masks[start:end])
        found.append(assign(cost.cpu()))
    return Pairs.join(found, truth)
