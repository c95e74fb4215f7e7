"""The precision in which linear layers compute."""

from __future__ import annotations

import torch
from torch import Tensor


def as_computed(x: Tensor) -> Tensor:
    """Return `x` as linear layers would turn it here: in the type of autocast, if that is on.

    What several layers read is turned once this way, not by each of them.
    """
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
