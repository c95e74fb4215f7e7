"""Dataclasses of tensors: several of them as one, one of them with other tensors, and one as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, get_type_hints

import torch

T = TypeVar("T")


def join(parts: Sequence[T]) -> T:
    """Return dataclasses of tensors (rows, ...), nested or not, as one with all their rows."""
    if isinstance(parts[0], torch.Tensor):
        return torch.cat(parts)
    names = [field.name for field in fields(parts[0])]
    return type(parts[0])(*(join([getattr(part, name) for part in parts]) for name in names))


def leaves(value: object) -> list[torch.Tensor]:
    """Return the tensors of a dataclass, nested or not, in the order of its fields."""
    if isinstance(value, torch.Tensor):
        return [value]
    if not is_dataclass(value):
        return []
    return [tensor for field in fields(value) for tensor in leaves(getattr(value, field.name))]


def mapped(change: Callable[..., torch.Tensor], value: T, *others: T) -> T:
    """Return a dataclass, nested or not, with every tensor changed and everything else as it is.

    Args:
        change: makes a tensor of that of `value`, followed by those of `others`.
        value: the dataclass.
        others: dataclasses of the same kind.
    """
    if isinstance(value, torch.Tensor):
        return change(value, *others)
    if not is_dataclass(value):
        return value
    names = [field.name for field in fields(value)]
    parts = {name: [getattr(each, name) for each in (value, *others)] for name in names}
    return replace(value, **{name: mapped(change, *each) for name, each in parts.items()})


def to_numpy(value: object, kind: type[T]) -> T:
    """Return a dataclass of tensors as the dataclass of arrays `kind` with fields of the same names."""
    if isinstance(value, torch.Tensor):
        return value.cpu().numpy()
    hints = get_type_hints(kind)
    return kind(**{name: to_numpy(getattr(value, name), hint) for name, hint in hints.items()})
