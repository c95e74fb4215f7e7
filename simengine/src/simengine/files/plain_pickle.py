"""Writing pickles that every version of numpy reads: arrays, numbers, texts and plain containers, nothing else.

The tools of the original read nothing else, with numpy 1. Reading goes through the restricted unpickler only.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterable
from pathlib import Path

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically

_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}

# The newest protocol whose references are numbered explicitly, so that pieces can be written one after another.
_PROTOCOL = 3


class _PortablePickler(pickle._Pickler):
    """Names numpy's internals as numpy 1 does, which numpy 2 understands too."""

    def save_global(self, obj: object, name: str | None = None) -> None:
        """Write the name of a function or class, or refuse what is not data."""
        module = (getattr(obj, "__module__", None) or "").replace("numpy._core", "numpy.core")
        name = name or getattr(obj, "__qualname__", repr(obj))
        if (module, name) not in _ADMITTED:
            raise ScenarioFormatError(
                f"a pickle would hold a {module}.{name}, expected numbers, texts, lists, dicts and numpy arrays: "
                "convert it before writing"
            )
        self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode("ascii"))
        self.memoize(obj)


def plain_pickle(value: object) -> bytes:
    """Return `value`, made of numpy arrays and plain containers, as a pickle.

    Raises:
        ScenarioFormatError: something in it is neither.
    """
    buffer = io.BytesIO()
    _PortablePickler(buffer, _PROTOCOL).dump(value)
    return buffer.getvalue()


def write_pickle(path: Path, value: object) -> None:
    """Write `value` to `path` as a pickle, atomically."""
    write_atomically(path, plain_pickle(value))


def write_pickled_dict(path: Path, items: Iterable[tuple[str, object]]) -> int:
    """Write a dictionary as one pickle without ever holding it in memory, atomically; return its number of items."""
    return _write_pieces(path, pickle.EMPTY_DICT, pickle.SETITEM, items)


def write_pickled_list(path: Path, items: Iterable[object]) -> int:
    """Write a list as one pickle without ever holding it in memory, atomically; return its number of items."""
    return _write_pieces(path, pickle.EMPTY_LIST, pickle.APPEND, ((item,) for item in items))


def _write_pieces(path: Path, empty: bytes, add: bytes, items: Iterable[tuple]) -> int:
    path, count = Path(path), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            pickler = _PortablePickler(file, _PROTOCOL)
            file.write(pickle.PROTO + bytes([_PROTOCOL]) + empty)
            for values in items:
                for value in values:
                    pickler.save(value)
                file.write(add)
                pickler.clear_memo()
                count += 1
            file.write(pickle.STOP)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count
