"""A low-rank branch beside a layer: y = W x + b + (alpha / r) B A x.

Hu et al., LoRA, 2021; reference: algengine.md 2.7. The branch is a child of its layer, so that code which computes
several layers at once finds it as well.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

CHILD = "lora"
"""Name of the branch below its layer, whose own keys in a state dict stay as they are."""


class LoRA(nn.Module):
    """The added branch; zero until trained, because B starts at zero.

    Args:
        inputs: channels in.
        outputs: channels out.
        rank: r of each part.
        alpha: the branch is scaled by alpha / r.
        dropout: of what enters the branch.
        parts: equal parts of the outputs with branches of their own, 3 for a fused query-key-value projection.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        rank: int = 16,
        alpha: float = 1.0,
        dropout: float = 0.0,
        parts: int = 1,
    ) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.randn(parts, rank, inputs) / rank)
        self.B = nn.Parameter(torch.zeros(parts, outputs // parts, rank))
        self.scale, self.rate = alpha / rank, dropout

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added (..., outputs) for x (..., inputs)."""
        x = functional.dropout(x, self.rate, self.training)
        parts = [functional.linear(functional.linear(x, a), b) for a, b in zip(self.A, self.B, strict=True)]
        return self.scale * (parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1))

    def delta(self) -> Tensor:
        """Return the change of the weight (outputs, inputs) that the branch amounts to without dropout."""
        return self.scale * torch.cat([b @ a for a, b in zip(self.A, self.B, strict=True)])


def branch_of(layer: nn.Module) -> LoRA | None:
    """Return the branch beside a layer, None if it has none."""
    branch = getattr(layer, CHILD, None)
    return branch if isinstance(branch, LoRA) else None
