"""The precision in which layers compute."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def mixed_precision(dtype: str, device: torch.device) -> AbstractContextManager:
    """Return the context in which layers compute in `dtype`, "" for single precision; only CUDA knows another."""
    if dtype and device.type == "cuda":
        return torch.autocast("cuda", dtype=getattr(torch, dtype))
    return nullcontext()


def as_computed(x: Tensor) -> Tensor:
    """Return `x` as linear layers would turn it here: in the type of autocast, if that is on.

    What several layers read is turned once this way, not by each of them.
    """
    kind = x.device.type
    return x.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else x
