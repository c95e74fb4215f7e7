"""Distillation of PDM sub-scores into the heads that predict them.

B samples, K plans.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SUB_SCORE_WEIGHTS = {
    "no_at_fault_collisions": 3.0,
    "drivable_area_compliance": 3.0,
    "time_to_collision_within_bound": 2.0,
    "comfort": 1.0,
    "ego_progress": 1.0,
}
"""Weight of each term, as published."""


def distill_sub_scores(
    logits: dict[str, Tensor], targets: dict[str, Tensor], known: Tensor | None = None
) -> dict[str, Tensor]:
    """Return the weighted binary cross-entropy of each sub-score, a mean over plans and samples.

    Args:
        logits: (B, K) for each sub-score.
        targets: (B, K) true sub-scores in [0, 1].
        known: (B,) samples whose sub-scores are known, all unless given; the others do not count.
    """
    losses = {}
    for name, value in logits.items():
        each = functional.binary_cross_entropy_with_logits(
            value.float(), targets[name].to(value.device).float(), reduction="none"
        ).mean(-1)
        weight = each.new_ones(len(each)) if known is None else known.to(each)
        losses[f"loss_{name}"] = SUB_SCORE_WEIGHTS[name] * (each * weight).sum() / weight.sum().clamp(min=1.0)
    return losses
