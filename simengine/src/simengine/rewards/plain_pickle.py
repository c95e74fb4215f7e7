"""Writing pickles that every version of numpy reads: arrays, numbers, texts and dictionaries.

The original's tools read nothing else. Reading goes through the restricted unpickler only.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterable
from pathlib import Path

from simengine.files.atomic import write_atomically

# The newest protocol whose references are numbered explicitly, so that pieces can be written one after another.
_PROTOCOL = 3


class _PortablePickler(pickle._Pickler):
    """Names numpy's internals as numpy 1 does, which numpy 2 understands too."""

    def save_global(self, obj: object, name: str | None = None) -> None:
        """Write the name of a function or class."""
        module = getattr(obj, "__module__", None) or ""
        if not module.startswith("numpy._core"):
            super().save_global(obj, name)
            return
        old = module.replace("numpy._core", "numpy.core")
        self.write(pickle.GLOBAL + f"{old}\n{name or obj.__name__}\n".encode("ascii"))
        self.memoize(obj)


def plain_pickle(value: object) -> bytes:
    """Return `value`, made of numpy arrays and plain containers, as a pickle."""
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
