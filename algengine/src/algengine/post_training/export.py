"""Writes a post-trained planner: merged weights that serve like any others, and its adapters by published names."""

from __future__ import annotations

import copy
import io
import json
from pathlib import Path

import torch
from torch import Tensor

from algengine.checkpoints.lora import to_published
from algengine.engine.weights import FORMAT, VERSION, WEIGHTS_NAME
from algengine.models.layers.low_rank import CHILD
from algengine.planners.vadv2 import VADv2
from algengine.post_training.lora import merge
from simengine.files.atomic import write_atomically

ADAPTERS_NAME = "lora.pth"


def export_student(
    student: VADv2, model: dict, base_state: dict[str, Tensor], metadata: dict, folder: Path
) -> Path:
    """Write `weights.pth` and `lora.pth` into `folder` and return the path of the first.

    What has not changed is written in the precision in which it was exported before, what has in single precision: the
    steps of half precision are of the size of what an adapter adds.

    Args:
        student: with adapters; left as it is.
        model: its config.
        base_state: weights of the planner it was made of.
        metadata: facts for the weights file; `cameras` is needed to serve.
        folder: made if needed.
    """
    adapters = {k: v for k, v in student.state_dict().items() if f".{CHILD}." in k}
    merged = copy.deepcopy(student).cpu()
    merge(merged)
    state = {name: _narrow(value, base_state.get(name)) for name, value in merged.state_dict().items()}
    content = {
        "format": FORMAT,
        "version": VERSION,
        "state_dict": state,
        "model": json.dumps(model),
        "metadata": json.dumps(metadata, sort_keys=True),
    }
    _save(content, folder / WEIGHTS_NAME)
    if adapters:
        named = {name: value.cpu() for name, value in to_published(adapters).items()}
        _save({"state_dict": named, "meta": {"format": "mmcv-lora"}}, folder / ADAPTERS_NAME)
    return folder / WEIGHTS_NAME


def _narrow(value: Tensor, base: Tensor | None) -> Tensor:
    if base is not None and value.is_floating_point() and torch.equal(value, base):
        half = value.half()
        if torch.equal(half.float(), value):
            return half.contiguous()
    return value.contiguous()


def _save(content: dict, path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())
