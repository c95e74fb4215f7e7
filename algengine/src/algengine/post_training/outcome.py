"""What is known about a batch of decisions besides the planner's outputs: the targets of every objective.

B decisions, K plans.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

NORMAL, REAL_FAILURE, SYNTHETIC = 0, 1, -1
"""Values of `fail_mask` (reference: algengine.md 1.2)."""


@dataclass(frozen=True)
class Outcomes:
    """Rewards of the whole vocabulary at B decisions, and what was driven there.

    Attributes:
        rewards: (B, K) float for each column of `simengine.rewards`; NaN where unknown.
        distance: (B, K) distance of each plan from what was driven [m], see `trajectory_distance`.
        driven: (B,) bool: whether the future was recorded, so that `distance` means something.
        fail_mask: (B,) int: `NORMAL`, `REAL_FAILURE` or `SYNTHETIC`.
        reference: (B, K) logits of the frozen planner by output name, in evaluation mode.
        behaviour: (B,) plan that was driven in the rollout, -1 where a log or a driver without vocabulary drove.
    """

    rewards: dict[str, Tensor]
    distance: Tensor
    driven: Tensor
    fail_mask: Tensor
    reference: dict[str, Tensor]
    behaviour: Tensor

    def known(self, column: str = "score") -> Tensor:
        """Return (B,) bool: decisions of which every plan's reward is known."""
        return ~self.rewards[column].isnan().any(-1)

    def to(self, device: torch.device | str) -> Outcomes:
        """Return the same on another device."""
        moved = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, dict):
                moved[field.name] = {name: part.to(device) for name, part in value.items()}
            else:
                moved[field.name] = value.to(device)
        return Outcomes(**moved)
