"""The only unpickler of the project: numpy arrays, scalars and plain containers, nothing else.

A pickle is a program. This reader never imports what a file names: each admitted name maps to an
object made here, every other name ends the reading with an error that repeats the name. Arrays are
built from checked shapes, types and bytes; a file cannot reach numpy's own state setters.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import struct
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simengine.errors import ScenarioFormatError

MALFORMED = (  # what damaged pickles raise
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
_ARRAY_MARK = "ndarray"
_DTYPE_CODE = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQefdgFDGSUO]|[biufcSUO]\d{1,9})")


class ForbiddenNameError(pickle.UnpicklingError):
    """A pickle asked for something that is not data."""


class _Dtype:
    """An array type under construction: numbers, texts and objects, without fields or metadata."""

    def __init__(self, code: str, *_flags: object) -> None:
        if not (isinstance(code, str) and _DTYPE_CODE.fullmatch(code)):
            raise ForbiddenNameError(f"arrays of type {code!r}")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        """Take the byte order; refuse fields and metadata."""
        _version, order, *parts = state
        if order not in tuple("<>=|") or any(part is not None for part in parts[:3]):
            raise ForbiddenNameError("arrays with fields")
        self.dtype = self.dtype.newbyteorder(order) if order in "<>" else self.dtype


class _Array(np.ndarray):
    """An array under construction; `finished` replaces it by a plain one."""

    def __setstate__(self, state: tuple) -> None:
        """Fill in shape, type and content after checking that they fit."""
        _version, shape, kind, fortran, raw = state
        if not isinstance(kind, _Dtype) or not isinstance(raw, list if kind.dtype.hasobject else bytes):
            raise ValueError("an array's type and content do not fit")
        _check_shape(shape, len(raw) // (1 if kind.dtype.hasobject else max(kind.dtype.itemsize, 1)))
        super().__setstate__((1, shape, kind.dtype, bool(fortran), raw))


def _check_shape(shape: tuple, count: int) -> None:
    sizes_ok = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not sizes_ok or math.prod(shape) != count:
        raise ValueError(f"an array of shape {shape!r} has {count} items")


def _reconstruct(*_arguments: object) -> _Array:
    return np.empty(0, np.uint8).view(_Array)


def _scalar(kind: _Dtype, raw: bytes) -> object:
    if kind.dtype.hasobject:
        raise ForbiddenNameError("an object as a numpy scalar")
    return np.frombuffer(raw, kind.dtype, count=1)[0]


def _from_buffer(buffer: bytes | bytearray, kind: _Dtype, shape: tuple, order: str) -> np.ndarray:
    if kind.dtype.hasobject:
        raise ForbiddenNameError("objects in a buffer")
    return np.frombuffer(bytes(buffer), kind.dtype).reshape(shape, order=order).copy(order="K")


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1" if encoding == "latin1" else "ascii")


def _default_dict(factory: Callable | None = None, *items: dict) -> defaultdict:
    if factory is not None and factory not in _CONTAINERS:
        raise ForbiddenNameError(f"a defaultdict with factory {factory!r}")
    return defaultdict(factory, *items)


def admitted_names() -> dict[tuple[str, str], object]:
    """Return the table from (module, name), as pickles write them, to what may be called or held."""

    def own(function: Callable) -> Callable:
        # A pickle can set attributes on what it was given; each reader gives out its own wrappers.
        def call(*arguments: object) -> object:
            return function(*arguments)

        return call

    names: dict[tuple[str, str], object] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("collections", "defaultdict"): own(_default_dict),
        ("_codecs", "encode"): own(_encode),
    }
    for kind in _CONTAINERS:
        names["builtins", kind.__name__] = names["__builtin__", kind.__name__] = kind
    for module in _ARRAY_MODULES:
        names[module, "_reconstruct"] = own(_reconstruct)
        names[module, "scalar"] = own(_scalar)
        names[module, "dtype"] = own(_Dtype)
        names[module, "ndarray"] = _ARRAY_MARK
    for module in _BUFFER_MODULES:
        names[module, "_frombuffer"] = own(_from_buffer)
    return names


class _RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that looks names up in a fixed table."""

    def __init__(self, file: BinaryIO, lists: Collection[tuple[str, str]] = ()) -> None:
        super().__init__(file)
        self._names = admitted_names() | dict.fromkeys(lists, list)

    def find_class(self, module: str, name: str) -> object:
        """Return the admitted object, or refuse without importing anything."""
        try:
            return self._names[module, name]
        except KeyError:
            raise ForbiddenNameError(f"{module}.{name}") from None


def finished(value: object, seen: dict[int, tuple[object, object]]) -> object:
    """Return `value` with arrays and array types under construction replaced; containers in place."""
    if isinstance(value, _Dtype):
        return value.dtype
    if not isinstance(value, dict | list | tuple | np.ndarray):
        return value
    if id(value) in seen:
        return seen[id(value)][1]
    result = value.view(np.ndarray) if isinstance(value, _Array) else value
    # The original is kept with the result: were it freed, another object could take its id.
    seen[id(value)] = (value, result)
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = finished(item, seen)
    elif isinstance(value, list):
        value[:] = [finished(item, seen) for item in value]
    elif isinstance(value, tuple):
        result = tuple(finished(item, seen) for item in value)
        seen[id(value)] = (value, result)
    elif value.dtype.hasobject:
        result.ravel(order="K")[:] = [finished(item, seen) for item in result.ravel(order="K")]
    return result


def load_pickle(path: Path) -> object:
    """Return what the pickle at `path` holds if it is data only.

    Admitted are numpy arrays, scalars and dtypes without fields, the builtin containers and numbers,
    `OrderedDict`, and `defaultdict` of a builtin.

    Raises:
        ScenarioFormatError: the file is missing, truncated, no pickle, or names anything else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _load(file, str(path))
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror}), expected a pickle file"
        ) from None


def loads_pickle(content: bytes, source: str, lists: Collection[tuple[str, str]] = ()) -> object:
    """Return what a pickle in memory holds if it is data only, as `load_pickle` does for files.

    Args:
        content: the pickle.
        source: where it came from, for messages.
        lists: further (module, name) pairs that are read as plain lists; nothing of theirs is imported.

    Raises:
        ScenarioFormatError: it is truncated, no pickle, or names anything else.
    """
    return _load(io.BytesIO(content), source, lists)


def _load(file: BinaryIO, source: str, lists: Collection[tuple[str, str]] = ()) -> object:
    try:
        return finished(_RestrictedUnpickler(file, lists).load(), {})
    except ForbiddenNameError as error:
        raise ScenarioFormatError(
            f"{source}: the pickle asks for {error}, expected numpy arrays and plain containers only; it was not "
            "run: do not trust this file, or re-save it as plain data"
        ) from None
    except MALFORMED as error:
        raise ScenarioFormatError(
            f"{source}: not a readable pickle ({type(error).__name__}: {error}), expected a complete pickle of "
            "plain data: copy the file again"
        ) from None
