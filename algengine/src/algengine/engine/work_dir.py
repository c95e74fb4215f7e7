"""The folder that a training writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simengine.errors import ConfigError
from simengine.files.owner import sole_owner


@contextmanager
def work_dir_of(folder: Path) -> Iterator[Path]:
    """Make the folder of a run, before hours of work for it, and hold it for this process.

    Raises:
        ConfigError: nothing can be written there, or another process works there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the work dir {folder} cannot be made ({error.strerror}), expected a folder: give another --work-dir"
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"the work dir {folder} cannot be written to: give another --work-dir")
    with sole_owner(folder):
        yield folder
