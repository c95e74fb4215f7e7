"""MMEngine's runner as planners use it: any device, any number of processes, broken values told in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, Runner
from torch import nn

from algengine.engine.layout import compile_parts, prefer_channels_last
from simengine.errors import ConfigError

_BROKEN = (TypeError, ValueError, LookupError, AttributeError, AssertionError)


@contextmanager
def building() -> Iterator[None]:
    """Tell in one sentence what a value of a config broke while a part was made of it.

    Raises:
        ConfigError: something was broken.
    """
    try:
        yield
    except _BROKEN as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            f"the config cannot be built ({type(error).__name__}: {reason}), expected values that fit its parts: "
            "correct the value that this is about"
        ) from error


class PlannerRunner(Runner):
    """The runner, on the device of the config's key `device` also when the machine has others.

    Raises:
        ConfigError: a value of the config does not fit; from the methods that build too.
    """

    @classmethod
    def from_cfg(cls, cfg: dict) -> PlannerRunner:
        """Return the runner of a config."""
        with building():
            return super().from_cfg(cfg)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the loop of training."""
        with building():
            return super().build_train_loop(loop)

    def build_val_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the loop of validation."""
        with building():
            return super().build_val_loop(loop)

    def build_optim_wrapper(self, optim_wrapper: OptimWrapper | dict) -> OptimWrapper:
        """Return the optimiser."""
        with building():
            return super().build_optim_wrapper(optim_wrapper)

    def build_param_scheduler(self, scheduler: dict | list) -> list:
        """Return the schedules."""
        with building():
            return super().build_param_scheduler(scheduler)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Return the model on its device, with gradients averaged over all processes if there are several."""
        device = torch.device(self.cfg.device)
        if device.type != "cuda" or not self.distributed:
            # Synchronised statistics exist on GPUs only; one process needs none.
            model = revert_sync_batchnorm(model)
        model = model.to(device)
        if device.type == "cuda":
            prefer_channels_last(model)
        compile_parts(model, self.cfg.get("compile_parts", ()))
        if not self.distributed:
            return model
        options = {"broadcast_buffers": False, **(model_wrapper_cfg or {})}
        options.setdefault("find_unused_parameters", self.cfg.get("find_unused_parameters", False))
        return MMDistributedDataParallel(
            model, device_ids=[device] if device.type == "cuda" else None, **options
        )
