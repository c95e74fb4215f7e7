"""The saved state of a run: everything that the next update depends on.

So a resumed run equals one that was not interrupted.
"""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn

from algengine.engine.weights import load_checkpoint
from algengine.errors import CheckpointError
from simengine.files.atomic import write_atomically

STATE_NAME = "state.pth"


def save_state(
    path: Path,
    step: int,
    learning: dict[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    log: list,
    key: str,
) -> None:
    """Write parameters that learn, optimiser, random numbers and log after `step` updates, atomically."""
    content = {
        "state_dict": {name: value.detach().cpu() for name, value in learning.items()},
        "optimizer": optimizer.state_dict(),
        "step": step,
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "log": log,
        "key": key,
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())


def load_state(
    path: Path, learning: dict[str, nn.Parameter], optimizer: torch.optim.Optimizer, key: str
) -> tuple[int, list]:
    """Restore what `save_state` wrote and return the number of updates done and the log.

    Raises:
        CheckpointError: the state belongs to another run, or is damaged.
    """
    try:
        content = load_checkpoint(path)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is no saved state of a run, expected none or a whole one: choose another --work-dir or delete it"
        ) from error
    if content.get("key") != key:
        raise CheckpointError(
            f"{path} belongs to a run with another config, data or base planner: choose another --work-dir or delete it"
        )
    with torch.no_grad():
        for name, parameter in learning.items():
            parameter.copy_(content["state_dict"][name])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"])
    if content["random_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(content["random_cuda"])
    return int(content["step"]), list(content["log"])
