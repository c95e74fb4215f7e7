"""Turning a published state dict into ours: renaming, changes of layout, and a report of what was left out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from algengine.checkpoints.lora import merge_lora, split_lora
from algengine.checkpoints.original_table import RULES, UNUSED
from algengine.errors import CheckpointError

_STACKED = ("query", "key", "value")


@dataclass(frozen=True)
class Report:
    """What became of a published checkpoint.

    Attributes:
        loaded: tensors of our model that got a value.
        dropped: number of published tensors left out, by part.
        fresh: parts of our model that the checkpoint does not have and that keep their initial values.
        lora: number of low-rank updates.
        merged: whether these were added to the weights; otherwise they were left out.
    """

    loaded: int
    dropped: dict[str, int]
    fresh: tuple[str, ...]
    lora: int
    merged: bool

    def summary(self) -> str:
        """Return everything in one sentence."""
        parts = [f"{self.loaded} tensors loaded from a published checkpoint"]
        if self.lora:
            parts.append(
                f"{self.lora} low-rank updates {'added to their weights' if self.merged else 'left out'}"
            )
        if self.dropped:
            parts.append("not used: " + ", ".join(f"{k} ({n})" for k, n in sorted(self.dropped.items())))
        if self.fresh:
            parts.append("not in it, so still untrained: " + ", ".join(self.fresh))
        return "; ".join(parts)


def is_original(state: dict[str, Tensor]) -> bool:
    """Return whether the names of a state dict are the published ones."""
    return any(name.startswith(("pts_bbox_head.", "planning_head.")) for name in _stripped(state))


def convert_original(
    state: dict[str, Tensor], model: nn.Module, merge: bool = True
) -> tuple[dict[str, Tensor], Report]:
    """Return our state dict for `model` and a report.

    A leading `module.` is dropped. Parts that a checkpoint lacks as a whole (the planning head of a perception
    checkpoint, the sub-score heads of VADv2) keep their initial values; anything else must be complete. A detector,
    from which the perception stage starts, has other cameras and another grid: all its tensors are taken that fit.

    Args:
        state: published names and tensors.
        model: the planner to load into.
        merge: whether low-rank updates are added to their weights; without, the planner before fine-tuning results.

    Raises:
        CheckpointError: a tensor is missing, has another shape, or belongs to the published arithmetic while the
            planner has another.
    """
    plain, updates = split_lora(_stripped(state))
    if merge:
        plain = merge_lora(plain, updates)
    _check_arithmetic(plain, model)
    wanted = model.state_dict()
    ours: dict[str, Tensor | dict[str, Tensor]] = {}
    dropped: Counter[str] = Counter()
    for name, value in plain.items():
        target, layout = _find(name)
        if target not in wanted:
            dropped[_label(name, target)] += 1
        elif layout in _STACKED:
            ours.setdefault(target, {})[layout] = value
        else:
            ours[target] = _laid_out(value, target, layout, model)
    tensors = {target: _stacked(target, value) for target, value in ours.items()}
    detector = _is_detector(plain, wanted)
    if detector:
        fitting = {name: value for name, value in tensors.items() if value.shape == wanted[name].shape}
        dropped["parts of another size"] += len(tensors) - len(fitting)
        tensors = fitting
    _check_shapes(tensors, wanted)
    # Counters of batches are younger than some checkpoints and change nothing.
    missing = [n for n in wanted if n not in tensors and not n.endswith("num_batches_tracked")]
    fresh = _parts(missing) if detector else _check_complete(plain, missing)
    return tensors, Report(len(tensors), dict(+dropped), fresh, len(updates), merge)


def adopt_original(model: nn.Module, state: dict[str, Tensor], prefix: str, *_args: object) -> None:
    """Convert a published state dict in place; a pre-hook of `load_state_dict`, so every loader accepts both."""
    if prefix or not is_original(state):
        return
    converted, report = convert_original(dict(state), model)
    state.clear()
    state.update(converted)
    print_log(report.summary(), logger="current")


def _stripped(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("module."): value for name, value in state.items()}


def _find(name: str) -> tuple[str, str]:
    """Return our name and the change of layout of a published name, empty if it is not used."""
    for pattern, target, layout in RULES:
        match = re.fullmatch(pattern, name)
        if match:
            return match.expand(target), layout
    return "", ""


def _label(name: str, target: str) -> str:
    """Return what a tensor that is not used is part of."""
    other = "parts that this planner lacks" if target else "unknown names"
    return next((label for pattern, label in UNUSED if re.fullmatch(pattern, name)), other)


def _laid_out(value: Tensor, target: str, layout: str, model: nn.Module) -> Tensor:
    """Return a tensor in our layout; one that cannot be laid out stays as it is and fails the check of shapes."""
    if layout == "conv" and value.dim() == 2:
        return value[..., None, None]
    if layout == "heights":
        layer = model.get_submodule(target.rsplit(".", 2)[0])
        shape = (layer.heads, layer.levels, layer.points, layer.heights, -1)
        if value.numel() == model.get_parameter(target).numel():
            return value.reshape(*shape, *value.shape[1:]).transpose(2, 3).reshape(value.shape)
    return value


def _stacked(target: str, parts: Tensor | dict[str, Tensor]) -> Tensor:
    if isinstance(parts, Tensor):
        return parts
    missing = [part for part in _STACKED if part not in parts]
    if missing:
        raise CheckpointError(
            f"the checkpoint lacks the {' and the '.join(missing)} projection of {target}: take a complete checkpoint"
        )
    return torch.cat([parts[part] for part in _STACKED])


def _check_arithmetic(plain: dict[str, Tensor], model: nn.Module) -> None:
    has_head = any(name.startswith("planning_head.") for name in plain)
    if has_head and not getattr(model, "compat", False):
        raise CheckpointError(
            "the checkpoint holds a planning head with the published arithmetic, which is not the default here: "
            "set model.compat=True, or start from the perception checkpoint"
        )


def _check_shapes(tensors: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.shape != wanted[name].shape:
            raise CheckpointError(
                f"the tensor of the checkpoint for {name} has shape {tuple(value.shape)}, expected "
                f"{tuple(wanted[name].shape)}: use the config that the checkpoint was trained with"
            )


def _is_detector(plain: dict[str, Tensor], wanted: dict[str, Tensor]) -> bool:
    """Return whether a model that tracks is given a checkpoint that only detects."""
    further = ("planning_head.", "query_interact.")
    tracks = any(name.startswith("track_head.") for name in wanted)
    return tracks and not any(name.startswith(further) for name in plain)


def _parts(names: list[str]) -> tuple[str, ...]:
    """Return the modules that tensors belong to, by the first two words of their names."""
    return tuple(sorted({".".join(name.split(".")[:2]) for name in names}))


def _check_complete(plain: dict[str, Tensor], missing: list[str]) -> tuple[str, ...]:
    """Return the parts that the checkpoint lacks as a whole; a part that it has in pieces is an error."""
    optional = {"bev_head.", "map_head."}
    if not any(name.startswith("planning_head.") for name in plain):
        optional.add("head.")
    elif not any(name.startswith("planning_head.heads.noc.") for name in plain):
        optional.add("head.sub_scores.")
    required = [name for name in missing if not name.startswith(tuple(optional))]
    if required:
        more = f" and {len(required) - 1} more" if len(required) > 1 else ""
        raise CheckpointError(
            f"the checkpoint has no tensor for {required[0]}{more}: take a complete checkpoint, or the config it was "
            "trained with"
        )
    return tuple(sorted(part.rstrip(".") for part in optional if any(n.startswith(part) for n in missing)))
