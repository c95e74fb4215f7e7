"""Reading files of labels beside recordings: whole, or refused in one sentence."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from algengine.errors import RecordingError

_UNREADABLE = (OSError, ValueError, KeyError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def read_labels(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """Return the named arrays of a file that `algengine labels` wrote.

    Raises:
        RecordingError: it is missing, damaged or something else.
    """
    try:
        with zipfile.ZipFile(path):  # numpy would suggest to unpickle what is no archive
            pass
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or error
        raise RecordingError(
            f"the labels {path} cannot be read ({reason}), expected a complete file: make them with `algengine labels`"
        ) from error
