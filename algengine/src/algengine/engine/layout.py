"""How parts of a model are laid out and run: channels last on GPUs, compiled on request."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from simengine.errors import ConfigError

_IMAGE_PARTS = ("backbone", "neck")


def prefer_channels_last(model: nn.Module) -> None:
    """Lay the convolutions of image parts out as tensor cores read them, which spares a copy at each; in place."""
    for name in _IMAGE_PARTS:
        part = getattr(model, name, None)
        if part is not None:
            part.to(memory_format=torch.channels_last)


def compile_parts(model: nn.Module, names: Sequence[str], backend: str = "inductor") -> None:
    """Give parts of a model to `torch.compile`, in place; weights and their names stay as they are.

    Args:
        model: the model.
        names: submodules, for example `backbone`.
        backend: of `torch.compile`.

    Raises:
        ConfigError: the model has no such part.
    """
    for name in names:
        try:
            part = model.get_submodule(name)
        except AttributeError as error:
            raise ConfigError(
                f"compile_parts names {name!r}, which the model does not have: {error}"
            ) from error
        part.compile(backend=backend)
