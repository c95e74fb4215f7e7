"""Which query answers for which map element: costs on the device, assignment on the host.

Q queries, K classes, n elements, S cells.
"""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

from algengine.losses.map_segmentation import ALPHA, GAMMA, box_distance, generalized_iou

CLASS_COST = 2.0
BOX_COST = 5.0
IOU_COST = 2.0
DICE_COST = 2.0
_DICE_COST_EPS = 1e-3


def class_cost(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the focal cost (..., Q, n) of queries with `logits` (..., Q, K) for elements of `labels` (n,)."""
    logits = logits.float()
    probability = logits.sigmoid()
    hit = ALPHA * (1.0 - probability) ** GAMMA * -functional.logsigmoid(logits)
    miss = (1.0 - ALPHA) * probability**GAMMA * -functional.logsigmoid(-logits)
    return (hit - miss)[..., labels]


def location_cost(
    logits: Tensor, boxes: Tensor, labels: Tensor, gt_boxes: Tensor, classes: float = 1.0
) -> Tensor:
    """Return the cost (..., Q, n) of class and box.

    Args:
        logits: (..., Q, K).
        boxes: (..., Q, 4).
        labels: (n,).
        gt_boxes: (n, 4).
        classes: factor of the class cost.
    """
    pairs = boxes[..., :, None, :], gt_boxes
    return (
        classes * CLASS_COST * class_cost(logits, labels)
        + BOX_COST * box_distance(*pairs)
        - IOU_COST * generalized_iou(*pairs)
    )


def dice_cost(masks: Tensor, gt_masks: Tensor) -> Tensor:
    """Return the weighted dice loss (Q, n) between masks (Q, S) and (n, S)."""
    masks, gt_masks = masks.float(), gt_masks.float()
    squares = masks.square().sum(-1)[:, None] + gt_masks.square().sum(-1)
    return DICE_COST * (1.0 - 2.0 * (masks @ gt_masks.T) / (squares + 2.0 * _DICE_COST_EPS))


def assign(cost: Tensor, rounds: int = 1) -> tuple[Tensor, Tensor]:
    """Return queries (m,) and their elements (m,), cheapest in sum, each query at most once.

    Each round gives every element one more query, while queries last.

    Args:
        cost: (Q, n) on the host.
        rounds: most queries of an element.
    """
    free = torch.arange(len(cost))
    queries, elements = [free[:0]], [free[:0]]
    for _ in range(rounds):
        row, column = (torch.from_numpy(part) for part in linear_sum_assignment(cost[free].numpy()))
        queries.append(free[row])
        elements.append(column)
        free = free[~torch.isin(free, free[row])]
    return torch.cat(queries), torch.cat(elements)
