"""Losses of the detection and tracking queries, and the costs by which queries are matched to objects.

L layers, B batch, K queries, M objects, C classes, S steps of a track.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

ALPHA, GAMMA = 0.25, 2.0
"""Balance and focus of the focal loss, as published (Lin et al. 2017)."""

MATCHED_COLUMNS = 8
"""Leading columns of a box code that decide a match; velocity does not."""

_EPS = 1e-12


@dataclass(frozen=True)
class Targets:
    """Objects of one frame of B samples.

    Attributes:
        labels: (B, M) int64.
        codes: (B, M, 10) box codes.
        tracks: (B, M, S, 2) places before and after, from the present one [m].
        tracks_valid: (B, M, S) which of these are known.
    """

    labels: Tensor
    codes: Tensor
    tracks: Tensor
    tracks_valid: Tensor


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sigmoid focal loss of each logit, same shape.

    Args:
        logits: any shape.
        target: same shape, 0 or 1.
    """
    plain = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    chance = logits.sigmoid()
    wrong = target * (1 - chance) + (1 - target) * chance
    return (target * ALPHA + (1 - target) * (1 - ALPHA)) * wrong**GAMMA * plain


def focal_cost(logits: Tensor) -> Tensor:
    """Return what it costs (..., C) to call a query each class: the focal loss if it is, less that if it is not."""
    chance = logits.sigmoid()
    if_not = -(1 - chance + _EPS).log() * (1 - ALPHA) * chance**GAMMA
    if_so = -(chance + _EPS).log() * ALPHA * (1 - chance) ** GAMMA
    return if_so - if_not


def match_cost(
    logits: Tensor, codes: Tensor, labels: Tensor, wanted: Tensor, class_weight: float, box_weight: float
) -> Tensor:
    """Return the cost (..., B, K, M) of each query for each object.

    Args:
        logits: (..., B, K, C).
        codes: (..., B, K, 10) box codes of the queries.
        labels: (B, M) classes of the objects.
        wanted: (B, M, 10) their box codes.
        class_weight: weight of the focal cost.
        box_weight: weight of the L1 distance of codes without velocity.
    """
    index = labels[:, None].expand(*logits.shape[:-1], -1)
    classes = focal_cost(logits).gather(-1, index)
    boxes = torch.cdist(codes[..., :MATCHED_COLUMNS], wanted[..., :MATCHED_COLUMNS], p=1.0)
    return class_weight * classes + box_weight * boxes


def query_losses(
    logits: Tensor,
    codes: Tensor,
    tracks: Tensor,
    used: Tensor,
    assigned: Tensor,
    targets: Targets,
    weights: Tensor,
) -> dict[str, Tensor]:
    """Return sums over layers, samples and queries: `cls`, `bbox`, `past_trajs`; not yet divided by anything.

    Args:
        logits: (L, B, K, C).
        codes: (L, B, K, 10).
        tracks: (L, B, K, S, 2).
        used: (B, K) bool, queries that count; those without an object should have no class.
        assigned: (L, B, K) object of each query, negative for none.
        targets: the objects.
        weights: (10,) of the columns of a code.
    """
    matched = assigned >= 0
    rows = torch.arange(logits.shape[1], device=logits.device)[:, None]
    index = assigned.clamp(min=0)
    named = functional.one_hot(targets.labels[rows, index], logits.shape[-1]) * matched[..., None]
    classes = focal_loss(logits, named.to(logits.dtype)) * used[..., None]
    boxes = (codes - targets.codes[rows, index]).abs() * weights * matched[..., None]
    known = (targets.tracks_valid[rows, index] & matched[..., None])[..., None]
    moves = (tracks - targets.tracks[rows, index]).abs() * known
    return {"cls": classes.sum(), "bbox": boxes.sum(), "past_trajs": moves.sum()}
