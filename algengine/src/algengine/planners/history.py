"""Running a model on past frames as at inference, whatever mode it trains in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def as_at_inference(model: nn.Module) -> Iterator[None]:
    """Put `model` into evaluation mode without gradients; afterwards it is back in its mode."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
