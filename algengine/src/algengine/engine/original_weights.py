"""Reading published checkpoints from files, without running anything that they hold."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from algengine.checkpoints.original import Report, convert_original, is_original
from algengine.engine.weights import load_checkpoint
from algengine.errors import CheckpointError
from algengine.planners.vadv2 import VADv2


def read_original(path: Path) -> dict[str, Tensor]:
    """Return the state dict of a published checkpoint (`meta`, `state_dict`, `optimizer`), names as they are.

    Raises:
        CheckpointError: the file is missing, broken, holds objects instead of tensors and plain values, or holds
            another model.
    """
    state = load_checkpoint(Path(path))["state_dict"]
    if not is_original(state):
        raise CheckpointError(
            f"the checkpoint {path} is not of the published planner, expected names like planning_head.vocab: "
            "load it with its own config"
        )
    return state


def load_original(planner: VADv2, path: Path, merge: bool = True) -> Report:
    """Load a published checkpoint into `planner` and return what became of it.

    Args:
        planner: with `compat`, if the checkpoint has a planning head.
        path: the file.
        merge: whether low-rank updates are added; without, the planner before fine-tuning results.

    Raises:
        CheckpointError: see `read_original` and `convert_original`.
    """
    state, report = convert_original(read_original(path), planner, merge)
    planner.load_state_dict(state, strict=False)
    return report
