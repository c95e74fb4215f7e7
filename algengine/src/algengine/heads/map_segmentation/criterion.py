"""Terms of the map head's loss, weighted.

B batch, D decoder layers, Q queries, K classes, m pairs, S label cells.
"""

from __future__ import annotations

import torch
from mmdet.utils import reduce_mean
from torch import Tensor

from algengine.heads.map_segmentation.matching import Pairs
from algengine.heads.map_segmentation.outputs import MapOutputs
from algengine.heads.map_segmentation.truth import BatchTruth
from algengine.losses.map_segmentation import box_distance, dice_loss, generalized_iou, sigmoid_focal

CLASS_WEIGHT = 2.0
BOX_WEIGHT = 5.0
IOU_WEIGHT = 2.0
DICE_WEIGHT = 2.0


def location_losses(outputs: MapOutputs, layers: list[Pairs], truth: BatchTruth) -> dict[str, Tensor]:
    """Return `loss_cls_{d}`, `loss_bbox_{d}` and `loss_iou_{d}` of each decoder layer, per matched element."""
    losses = {}
    for d, pairs in enumerate(layers):
        logits = outputs.logits[:, d]
        target = torch.zeros_like(logits)
        target[pairs.sample, pairs.query, truth.labels[pairs.element]] = 1.0
        boxes, gt_boxes = outputs.boxes[pairs.sample, d, pairs.query], truth.boxes[pairs.element]
        count = positives(len(pairs), logits)
        losses[f"loss_cls_{d}"] = CLASS_WEIGHT * sigmoid_focal(logits, target).sum() / count
        losses[f"loss_bbox_{d}"] = BOX_WEIGHT * box_distance(boxes, gt_boxes).sum() / count
        losses[f"loss_iou_{d}"] = IOU_WEIGHT * (1.0 - generalized_iou(boxes, gt_boxes)).sum() / count
    return losses


def mask_losses(
    outputs: MapOutputs, things: list[Tensor], pairs: Pairs, truth: BatchTruth
) -> dict[str, Tensor]:
    """Return `loss_mask_things_{b}`, `loss_mask_stuff_{b}` and `loss_cls_stuff_{b}` of each block of masks.

    All are sums over the elements and drivable areas of the batch, divided by the number of both together.

    Args:
        outputs: of the head.
        things: (B, c, S) masks of candidates after each block, and the answer.
        pairs: of candidates and elements.
        truth: elements of the batch.
    """
    exists = truth.drivable.amax(-1)
    count = positives(len(pairs) + exists.sum(), exists)
    gt_masks = truth.masks[pairs.element]
    losses = {}
    for b, masks in enumerate(things):
        # Sums over all candidates keep the graph whole in batches without elements.
        dice = dice_loss(masks[pairs.sample, pairs.query], gt_masks).sum() + 0.0 * masks.sum()
        losses[f"loss_mask_things_{b}"] = DICE_WEIGHT * dice / count
    for b, masks in enumerate(outputs.stuff_masks):
        dice = (dice_loss(masks, truth.drivable) * exists).sum()
        losses[f"loss_mask_stuff_{b}"] = DICE_WEIGHT * dice / count
    target = exists[:, None].expand_as(outputs.stuff_logits)
    for b, focal in enumerate(sigmoid_focal(outputs.stuff_logits, target).sum(0)):
        losses[f"loss_cls_stuff_{b}"] = CLASS_WEIGHT * focal / count
    return losses


def positives(count: int | Tensor, like: Tensor) -> Tensor:
    """Return what to divide a sum over `count` items by: their mean number over all processes, at least 1."""
    return reduce_mean(torch.as_tensor(count, dtype=torch.float32, device=like.device)).clamp(min=1.0)
