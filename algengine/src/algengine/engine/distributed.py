"""Several processes training one planner, started by torchrun."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed

from simengine.errors import ConfigError

LAUNCHERS = ("none", "pytorch")


def join_processes(launcher: str, device: torch.device) -> torch.device:
    """Join the processes that torchrun has started, if it has, and return the device of this one.

    Args:
        launcher: `none` or `pytorch`.
        device: kind of device; CUDA processes talk over NCCL, those on the CPU over gloo.

    Raises:
        ConfigError: torchrun did not start this process, or there are fewer GPUs than processes.
    """
    if launcher not in LAUNCHERS:
        raise ConfigError(f"launcher is {launcher!r}, expected one of {', '.join(LAUNCHERS)}")
    if launcher == "none":
        return device
    if "LOCAL_RANK" not in os.environ:
        raise ConfigError(
            "launcher is pytorch but this process was not started by torchrun: use scripts/e2e_dist_train.sh"
        )
    local = int(os.environ["LOCAL_RANK"])
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if local >= count:
            raise ConfigError(
                f"process {local} of this machine has no GPU of its own, PyTorch sees {count}: start fewer processes"
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def leave_processes() -> None:
    """End what `join_processes` began."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def ranks() -> tuple[int, int]:
    """Return which of how many processes this is."""
    if not torch.distributed.is_initialized():
        return 0, 1
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def meeting() -> Callable[[], None]:
    """Give a function that returns once all processes have called it.

    It waits for a week: a process that has little to do must not give up on one that has much.
    """
    if not torch.distributed.is_initialized():
        return lambda: None
    group = torch.distributed.new_group(backend="gloo", timeout=timedelta(days=7))
    return lambda: torch.distributed.barrier(group)
