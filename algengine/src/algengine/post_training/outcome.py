"""What is known about a batch of decisions besides the planner's outputs: the targets of every objective.

B decisions, K plans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from torch import Tensor


@dataclass(frozen=True)
class Outcomes:
    """Rewards of the whole vocabulary at B decisions, and what was driven there.

    Attributes:
        rewards: (B, K) float for each column of `simengine.rewards`; NaN where unknown.
        nearest: (B,) int: plan nearest to what was driven, see `trajectory_distance`.
        driven: (B,) bool: whether the future was recorded, so that `nearest` means something.
        fail_mask: (B,) int, see `structures.fail_mask`.
        reference: (B, K) logits of the frozen planner by output name, in evaluation mode.
        behaviour: (B,) plan that was driven in the rollout, -1 where a log or a driver without vocabulary drove.
    """

    rewards: dict[str, Tensor]
    nearest: Tensor
    driven: Tensor
    fail_mask: Tensor
    reference: dict[str, Tensor]
    behaviour: Tensor

    def known(self, column: str = "score") -> Tensor:
        """Return (B,) bool: decisions of which every plan's reward is known."""
        return ~self.rewards[column].isnan().any(-1)

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Outcomes:
        """Return the same with every tensor changed, such as moved to a device or reduced to some decisions."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Outcomes(
            **{
                name: {key: change(part) for key, part in value.items()}
                if isinstance(value, dict)
                else change(value)
                for name, value in values.items()
            }
        )
