"""Ego progress and the score of a batch, without waiting for the device; twins of those in `metrics.pdm`."""

from __future__ import annotations

import torch

from simengine.metrics.pdm.parameters import PdmParameters


def ego_progress(raw: torch.Tensor, multiplier: torch.Tensor, parameters: PdmParameters) -> torch.Tensor:
    """Return EP (P,) in [0, 1] by the rule of the mode; see `metrics.pdm.progress.ego_progress`."""
    failed, rule = multiplier == 0.0, parameters.progress_rule
    unless_failed = torch.where(failed, 0.0, torch.ones_like(raw))
    if rule == "masked_best":
        masked = raw * multiplier
        best = masked.amax()
        return torch.where(best > parameters.progress_threshold, masked / best, unless_failed)
    possible = torch.maximum(raw[0], raw) if "reference" in rule else raw.amax().expand_as(raw)
    share = torch.where(possible > parameters.progress_threshold, raw / possible, 1.0)
    return share * (unless_failed if rule == "reference" else multiplier)


def pdm_score(
    multiplier: torch.Tensor,
    *,
    progress: torch.Tensor,
    ttc: torch.Tensor,
    comfort: torch.Tensor,
    direction: torch.Tensor,
    parameters: PdmParameters,
) -> torch.Tensor:
    """Return the score (P,): multiplier times the weighted mean of the terms (P,)."""
    terms = (
        (parameters.weight_progress, progress),
        (parameters.weight_ttc, ttc),
        (parameters.weight_comfort, comfort),
        (parameters.weight_direction, direction),
    )
    weighted = sum(weight * term for weight, term in terms if weight)
    return multiplier * weighted / sum(weight for weight, _ in terms)
