"""One process at a time works in a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simengine.errors import ConfigError


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Hold an existing folder until the end of the context or of this process, however it ends.

    Held by record locks, which belong to the process that takes them: children that outlive a killed process do not
    keep the next one out. Where the file system has no locks nothing is held.

    Raises:
        ConfigError: another process holds it.
    """
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise ConfigError(
                f"another process works in {folder}, expected none: wait for it, or give another folder"
            ) from None
        except OSError:
            pass
        yield
