"""Dataclasses of tensors: several of them as one, and one of them as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar, get_type_hints

import torch

T = TypeVar("T")


def join(parts: Sequence[T]) -> T:
    """Return dataclasses of tensors (rows, ...), nested or not, as one with all their rows."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], torch.Tensor):
        return torch.cat(parts)
    names = [field.name for field in fields(parts[0])]
    return type(parts[0])(*(join([getattr(part, name) for part in parts]) for name in names))


def to_numpy(value: object, kind: type[T]) -> T:
    """Return a dataclass of tensors as the dataclass of arrays `kind` with fields of the same names."""
    if isinstance(value, torch.Tensor):
        return value.cpu().numpy()
    hints = get_type_hints(kind)
    return kind(**{name: to_numpy(getattr(value, name), hint) for name, hint in hints.items()})
