"""Outputs, outcomes and run folders for tests of post-training."""

from __future__ import annotations

import torch
from torch import Tensor

from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.post_training.outcome import Outcomes


def make_outputs(seed: int, batch: int = 4, plans: int = 7, sub_scores: bool = True) -> dict[str, Tensor]:
    """Return random float64 logits (batch, plans) by name."""
    generator = torch.Generator().manual_seed(seed)
    names = ("imitation", *(SUB_SCORES if sub_scores else ()))
    return {n: torch.randn(batch, plans, generator=generator, dtype=torch.float64) for n in names}


def make_outcomes(seed: int, batch: int = 4, plans: int = 7, sub_scores: bool = True) -> Outcomes:
    """Return random outcomes: every kind of decision, some perfect plans, some to be imitated."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def uniform() -> Tensor:
        return torch.rand(batch, plans, generator=generator, dtype=torch.float64)

    rewards = {name: uniform() for name in SUB_SCORES} | {"score": uniform()}
    rewards["score"][:, ::3] = 1.0
    return Outcomes(
        rewards=rewards,
        distance=10.0 * uniform(),
        driven=torch.ones(batch, dtype=torch.bool),
        fail_mask=torch.tensor([0, 1, -1] * batch)[:batch],
        reference=make_outputs(500 + seed, batch, plans, sub_scores),
        behaviour=torch.full((batch,), -1),
    )
