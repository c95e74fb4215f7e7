"""The one place where MMCV's missing compiled operators are replaced.

`mmcv-lite` ships `mmcv.ops` without the compiled module `mmcv._ext`, and MMDetection imports `mmcv.ops` at start.
None of our models calls a compiled operator, so a placeholder that fails only when called is enough. With full MMCV
installed nothing is replaced.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import NoReturn

from algengine.errors import DependencyError

_EXTENSION = "mmcv._ext"


class _MissingExtension(types.ModuleType):
    """A module whose every attribute is a function that says what is missing."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*_args: object, **_kwargs: object) -> NoReturn:
            raise DependencyError(
                f"the compiled MMCV operator {name!r} was called but only mmcv-lite is installed: "
                "install the extra algengine[ops], which builds MMCV from source"
            )

        return missing


def ensure_mmcv() -> None:
    """Make `mmcv.ops`, MMDetection and MMDetection3D importable; call before importing any of them.

    Raises:
        DependencyError: MMCV itself is not installed.
    """
    if _EXTENSION in sys.modules:
        return
    if importlib.util.find_spec("mmcv") is None:
        raise DependencyError(
            "mmcv is not installed, expected mmcv or mmcv-lite 2.1: install algengine[lite]"
        )
    if importlib.util.find_spec(_EXTENSION) is None:
        placeholder = _MissingExtension(_EXTENSION)
        placeholder.__spec__ = importlib.machinery.ModuleSpec(_EXTENSION, None)
        sys.modules[_EXTENSION] = placeholder
