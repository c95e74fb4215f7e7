"""Small networks that turn a query into classes or numbers."""

from __future__ import annotations

import math

from torch import nn

_PRIOR = 0.01
"""Probability of any class at the start, so that the many empty queries do not drown the rest."""


def class_branch(dims: int, classes: int) -> nn.Sequential:
    """Return layers (..., dims) -> (..., classes) logits."""
    last = nn.Linear(dims, classes)
    nn.init.constant_(last.bias, -math.log((1 - _PRIOR) / _PRIOR))
    hidden = [part for _ in range(2) for part in (nn.Linear(dims, dims), nn.LayerNorm(dims), nn.ReLU())]
    return nn.Sequential(*hidden, last)


def box_branch(dims: int, numbers: int) -> nn.Sequential:
    """Return layers (..., dims) -> (..., numbers)."""
    hidden = [part for _ in range(2) for part in (nn.Linear(dims, dims), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(dims, numbers))
