"""Whether a checkpoint belongs to a model: all of it to answer with, exactly it to go on with, some to begin from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from algengine.errors import CheckpointError
from simengine.errors import ConfigError

TRAINING_ONLY = ("bev_head.",)
"""Begin of the names of tensors that no answer depends on."""


def load_whole(model: nn.Module, state_dict: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights stored at `path` into a model that is to answer with them.

    Raises:
        CheckpointError: a part of the model would keep its random weights, or has another shape.
    """
    model = model.module if is_model_wrapper(model) else model
    try:
        missing = model.load_state_dict(state_dict, strict=False).missing_keys
    except RuntimeError as error:
        raise CheckpointError(describe_misfit(error)) from error
    if missing := [name for name in missing if not name.startswith(TRAINING_ONLY)]:
        raise CheckpointError(
            f"{path} lacks {len(missing)} tensors of the model, such as {missing[0]}, expected a checkpoint of the "
            "config that it is tested with: use the config that it was trained with"
        )


def require_same(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Check that a checkpoint to resume from has exactly the tensors of the model.

    Raises:
        ConfigError: it is of another model.
    """
    wrong = [
        n for n in {**ours, **theirs} if n not in ours or n not in theirs or ours[n].shape != theirs[n].shape
    ]
    if wrong:
        raise ConfigError(
            f"the checkpoint is of another model, {len(wrong)} tensors such as {wrong[0]} differ: resume with the "
            "config it was trained with, or start anew from its weights with load_from"
        )


def require_some(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Check that weights to begin from have at least one tensor of the model.

    Raises:
        ConfigError: they have none, and the training would begin from nothing.
    """
    # MMEngine, too, takes the names of a model in a wrapper.
    names = {name.removeprefix("module."): name for name in theirs}
    if not any(ours[name].shape == theirs[names[name]].shape for name in names.keys() & ours.keys()):
        raise ConfigError(
            f"nothing in the checkpoint of load_from fits the model, got tensors such as {next(iter(theirs), None)}, "
            f"expected such as {next(iter(ours))}: give weights of such a model, or load_from=None"
        )


def describe_misfit(error: RuntimeError) -> str:
    """Return what torch says about weights of another model, which may be hundreds of names, in a sentence."""
    reason = textwrap.shorten(str(error).split("\n", 1)[-1], 240, placeholder=" ...")
    return f"the weights do not fit the model of the config ({reason}): use the config that they were trained with"
