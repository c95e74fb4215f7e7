"""Mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from algengine.registry import OPTIM_WRAPPERS
from simengine.errors import ConfigError

DTYPES = ("float32", "bfloat16", "float16")


@OPTIM_WRAPPERS.register_module()
class PlannerOptimWrapper(OptimWrapper):
    """Steps of an optimiser whose losses are computed in `dtype`, on the CPU as well as on GPUs.

    MMEngine's own wrapper of this kind refuses to start without a GPU. Weights and optimiser state stay in single
    precision; only `float16` needs its losses scaled, and the scale is part of the state.

    Args:
        dtype: `float32`, `bfloat16` or `float16`. With `float32` the model decides for itself.
        options: optimiser, `clip_grad`, `accumulative_counts`; see MMEngine's `OptimWrapper`.
    """

    def __init__(self, dtype: str = "float32", **options: object) -> None:
        if dtype not in DTYPES:
            raise ConfigError(f"optim_wrapper.dtype is {dtype!r}, expected one of {', '.join(DTYPES)}")
        super().__init__(**options)
        self.dtype = getattr(torch, dtype)
        self.scaler = torch.amp.GradScaler(_device_of(self.optimizer)) if dtype == "float16" else None

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Return the context in which losses are computed."""
        inner = model.module if is_model_wrapper(model) else model
        device = next(inner.parameters()).device.type
        enabled = self.dtype != torch.float32
        with super().optim_context(model), torch.autocast(device, self.dtype if enabled else None, enabled):
            yield

    def backward(self, loss: Tensor, **options: object) -> None:
        """Add the gradients of a loss."""
        super().backward(self.scaler.scale(loss) if self.scaler else loss, **options)

    def step(self, **options: object) -> None:
        """Take one step; with `float16` it is left out when a gradient overflowed."""
        if self.scaler is None:
            super().step(**options)
            return
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **options)
        self.scaler.update()

    def state_dict(self) -> dict:
        """Return the state of optimiser and scale."""
        state = super().state_dict()
        return state | {"scaler": self.scaler.state_dict()} if self.scaler else state

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from a state."""
        state = dict(state_dict)
        scale = state.pop("scaler", None)
        if self.scaler and scale:
            self.scaler.load_state_dict(scale)
        super().load_state_dict(state)


def _device_of(optimizer: torch.optim.Optimizer) -> str:
    return optimizer.param_groups[0]["params"][0].device.type
