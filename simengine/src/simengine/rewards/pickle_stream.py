"""Reading a pickled dictionary item by item, so that a file of 20 GB needs the memory of a thousand items.

It is the restricted unpickler, as strict: the same names are admitted, nothing a file names is imported. Only the
outermost dictionary is never filled.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.scenario.restricted_pickle import MALFORMED, ForbiddenNameError, admitted_names, finished

_SHORT = 256


class _StreamingUnpickler(pickle._Unpickler):
    """Hands items of the outermost dictionary to `consume` as soon as they are complete."""

    dispatch: ClassVar = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, consume: Callable[[object, object], None]) -> None:
        super().__init__(file)
        self._names, self._consume, self._seen = admitted_names(), consume, 0

    def find_class(self, module: str, name: str) -> object:
        """Return the admitted object, or refuse without importing anything."""
        try:
            return self._names[module, name]
        except KeyError:
            raise ForbiddenNameError(f"{module}.{name}") from None

    def load_setitem(self) -> None:
        """Take one item of a dictionary."""
        value, key = self.stack.pop(), self.stack.pop()
        self._take([key, value])

    def load_setitems(self) -> None:
        """Take several items of a dictionary."""
        self._take(self.pop_mark())

    def _take(self, items: list) -> None:
        target = self.stack[-1]
        outermost = not self.metastack and len(self.stack) == 1
        for key, value in zip(items[::2], items[1::2], strict=True):
            if outermost:
                self._consume(finished(key, {}), finished(value, {}))
            else:
                target[key] = value
        if outermost:
            self._forget()

    def _forget(self) -> None:
        # What was handed on is not referred to again: names, types and short texts are, and they stay.
        for index in range(self._seen, len(self.memo)):
            if _is_content(self.memo.get(index)):
                self.memo[index] = None
        self._seen = max(self._seen, len(self.memo))

    dispatch[pickle.SETITEM[0]] = load_setitem
    dispatch[pickle.SETITEMS[0]] = load_setitems


def _is_content(value: object) -> bool:
    if isinstance(value, bytes):
        return len(value) > _SHORT
    if isinstance(value, tuple):
        return any(_is_content(item) for item in value)
    return isinstance(value, np.ndarray | dict)


def stream_pickled_dict(path: Path, consume: Callable[[object, object], None]) -> None:
    """Call `consume(key, value)` for each item of the dictionary that is pickled at `path`, in order.

    Raises:
        ScenarioFormatError: the file is missing, truncated, no pickled dictionary, or names anything but data.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            value = _StreamingUnpickler(file, consume).load()
        if not isinstance(value, dict) or value:
            raise ValueError(f"it holds a {type(value).__name__}, not one dictionary")
    except ScenarioFormatError:
        raise
    except ForbiddenNameError as error:
        raise ScenarioFormatError(
            f"{path}: the pickle asks for {error}, expected numpy arrays and plain containers only; it was not "
            "run: do not trust this file, or re-save it as plain data"
        ) from None
    except MALFORMED as error:
        raise ScenarioFormatError(
            f"{path}: not a readable pickle ({type(error).__name__}: {error}), expected a complete pickle of one "
            "dictionary: copy the file again"
        ) from None
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror}), expected a pickle file"
        ) from None
