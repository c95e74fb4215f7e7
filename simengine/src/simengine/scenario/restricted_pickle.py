"""The only unpickler of the project: numpy arrays, scalars and plain containers, nothing else.

A pickle is a program. This reader never imports what a file names: each admitted name maps to an
object listed here, every other name ends the reading with an error that repeats the name.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simengine.errors import ScenarioFormatError

_MALFORMED = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    MemoryError,
    OverflowError,
    RecursionError,
    struct.error,
)
_CONTAINERS = (bool, bytearray, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)
_ARRAY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_BUFFER_MODULES = ("numpy.core.numeric", "numpy._core.numeric")


class _ForbiddenNameError(pickle.UnpicklingError):
    """A pickle asked for something that is not data."""


def _admitted_names() -> dict[tuple[str, str], object]:
    """Return the table from (module, name), as pickles write them, to what may be built."""
    # Wrappers are made anew for each reader: a pickle can set attributes on what it was given.
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    builtin_factories = frozenset(_CONTAINERS)

    def from_buffer(buffer: bytes, dtype: np.dtype, shape: tuple, order: str) -> np.ndarray:
        return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order).copy(order="K")

    def encode(text: str, encoding: str = "latin1") -> bytes:
        return text.encode("latin1" if encoding == "latin1" else "ascii")

    def default_dict(factory: Callable | None = None, *items: dict) -> defaultdict:
        if factory is not None and factory not in builtin_factories:
            raise _ForbiddenNameError(f"defaultdict with factory {factory!r}")
        return defaultdict(factory, *items)

    names: dict[tuple[str, str], object] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): default_dict,
        ("_codecs", "encode"): encode,
    }
    for kind in _CONTAINERS:
        names["builtins", kind.__name__] = names["__builtin__", kind.__name__] = kind
    for module in _ARRAY_MODULES:
        names[module, "_reconstruct"] = reconstruct
        names[module, "scalar"] = scalar
        names[module, "ndarray"] = np.ndarray
        names[module, "dtype"] = np.dtype
    for module in _BUFFER_MODULES:
        names[module, "_frombuffer"] = from_buffer
    return names


class _RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that looks names up in a fixed table."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._names = _admitted_names()

    def find_class(self, module: str, name: str) -> object:
        """Return the admitted object, or refuse without importing anything."""
        try:
            return self._names[module, name]
        except KeyError:
            raise _ForbiddenNameError(f"{module}.{name}") from None


def load_pickle(path: Path) -> object:
    """Return what the pickle at `path` holds if it is data only.

    Admitted are numpy arrays, scalars and dtypes, the builtin containers and numbers, `OrderedDict`,
    and `defaultdict` of a builtin.

    Raises:
        ScenarioFormatError: the file is missing, truncated, no pickle, or names anything else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _RestrictedUnpickler(file).load()
    except _ForbiddenNameError as error:
        raise ScenarioFormatError(
            f"{path}: the pickle asks for {error}, expected numpy arrays and plain containers only; it was not "
            "run: do not trust this file, or re-save it as plain data"
        ) from None
    except _MALFORMED as error:
        raise ScenarioFormatError(
            f"{path}: not a readable pickle ({type(error).__name__}: {error}), expected a complete pickle of "
            "plain data: copy the file again"
        ) from None
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror}), expected a pickle file"
        ) from None
