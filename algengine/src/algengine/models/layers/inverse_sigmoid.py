"""Logits of places that are kept as fractions."""

from __future__ import annotations

from torch import Tensor

_EDGE = 1e-5


def inverse_sigmoid(fraction: Tensor) -> Tensor:
    """Return the logits of fractions, same shape, finite also at 0 and 1."""
    inside = fraction.clamp(0.0, 1.0)
    return (inside.clamp(min=_EDGE) / (1.0 - inside).clamp(min=_EDGE)).log()
