"""The weights file: half-precision tensors and plain facts, nothing that can run code.

A file holds `format`, `version`, `state_dict` (float16, statistics and plans float32), `model` (the model's config as
JSON) and `metadata` (JSON).
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from torch import nn

from algengine import registry
from algengine.engine.fitting import TRAINING_ONLY, describe_misfit
from algengine.errors import CheckpointError
from algengine.planners.vadv2 import VADv2
from simengine.files.atomic import write_atomically

FORMAT = "algengine.weights"
VERSION = 1
WEIGHTS_NAME = "weights.pth"
_MAGIC = (b"PK\x03\x04", b"\x80")
"""Begin of what torch saves: an archive, or a pickle in its old format."""
_UNREADABLE = (
    RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError,
    struct.error, pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip
"""What torch raises for damaged files."""
_FULL_PRECISION = ("head.vocabulary", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Weights:
    """Contents of a weights file.

    Attributes:
        state_dict: float32 tensors.
        model: config of the model.
        metadata: facts about the training.
    """

    state_dict: dict[str, torch.Tensor]
    model: dict
    metadata: dict


def load_checkpoint(path: Path) -> dict:
    """Return the contents of any torch file that holds tensors and plain values only.

    Raises:
        CheckpointError: the file is missing, damaged, of another kind, or holds objects.
    """
    if not Path(path).is_file():
        raise CheckpointError(
            f"there is no checkpoint at {path}, expected a weights file: train and export one first"
        )
    with Path(path).open("rb") as file:
        if not file.read(4).startswith(_MAGIC):
            raise CheckpointError(
                f"{path} is no checkpoint, expected a .pth file of `algengine export` or a training: check the path"
            )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise CheckpointError(_why_not(Path(path), error)) from error
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise CheckpointError(f"the checkpoint {path} holds no state_dict, expected weights of a planner")
    return content


def export_weights(checkpoint: Path, config: Config, path: Path, metadata: dict) -> int:
    """Write the weights of a training checkpoint without training-only parts; return the file's size in bytes.

    Raises:
        CheckpointError: the checkpoint is missing, broken or of another model; nothing is written then.
    """
    state = load_checkpoint(checkpoint)["state_dict"]
    kept = {k: _narrow(k, v) for k, v in state.items() if not k.startswith(TRAINING_ONLY)}
    model = config.model.to_dict() | {"bev_head": None}
    require_planner(build_planner(model, kept))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "state_dict": kept,
        "model": json.dumps(model),
        "metadata": json.dumps(metadata, sort_keys=True),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())
    return path.stat().st_size


def load_weights(path: Path) -> Weights:
    """Return the contents of a file written by `export_weights`.

    Raises:
        CheckpointError: the file is missing, corrupt or of another format.
    """
    content = load_checkpoint(path)
    if content.get("format") != FORMAT or content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} is {content.get('format', 'a training checkpoint')}, expected {FORMAT} version {VERSION}: "
            "export it with `algengine export`"
        )
    state = {k: v.float() if v.is_floating_point() else v for k, v in content["state_dict"].items()}
    return Weights(state, json.loads(content["model"]), json.loads(content["metadata"]))


def build_planner(model: dict, state_dict: dict[str, torch.Tensor] | None = None) -> VADv2:
    """Return a model in evaluation mode.

    Args:
        model: its config.
        state_dict: its weights, None for random ones.

    Raises:
        CheckpointError: the weights belong to another model.
    """
    planner = registry.MODELS.build(model | {"init_cfg": None})
    if state_dict is not None:
        try:
            planner.load_state_dict(state_dict)
        except RuntimeError as error:
            raise CheckpointError(describe_misfit(error)) from error
    return planner.eval()


def require_planner(model: nn.Module) -> VADv2:
    """Return a model that makes plans.

    Raises:
        CheckpointError: it makes none.
    """
    if not isinstance(model, VADv2):
        raise CheckpointError(
            f"the config is of a {type(model).__name__}, which makes no plans, expected a planner: perception stages "
            "are validated by `algengine test`"
        )
    return model


def add_tensors(digest: hashlib._Hash, tensors: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Let a hash depend on named tensors: names, types, shapes and all values."""
    for name, value in tensors:
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())


def _why_not(path: Path, error: Exception) -> str:
    """Return what is wrong with a file that torch cannot load."""
    if found := re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", str(error)):
        return (
            f"the checkpoint {path} holds a Python object ({found[1]}), which could run code, expected tensors and "
            "plain values only: save its state_dict alone where you trust it"
        )
    reason = "" if isinstance(error, pickle.UnpicklingError) else " ".join(str(error).split(". ")[0].split())
    return (
        f"the checkpoint {path} cannot be read ({reason or type(error).__name__}), expected a complete one: "
        "copy or export it again"
    )


def _narrow(name: str, value: torch.Tensor) -> torch.Tensor:
    if value.is_floating_point() and not name.endswith(_FULL_PRECISION):
        return value.half().contiguous()
    return value.contiguous()
