"""Where relative paths of configs lead: the present folder, or the root of the original's layout."""

from __future__ import annotations

import os
from pathlib import Path

ROOT_VARIABLE = "WORLDENGINE_ROOT"


def located(path: str | Path, root: str | Path | None = None) -> Path:
    """Return a path as it is if it is absolute or exists, else below `root`.

    Args:
        path: of a file or folder.
        root: by default what `WORLDENGINE_ROOT` says; the present folder without it.
    """
    path = Path(path)
    base = root or os.environ.get(ROOT_VARIABLE)
    if base is None or path.is_absolute() or (root is None and path.exists()):
        return path
    return Path(base) / path
