"""Which code made a finished stage: its marker holds a digest, and results of other code are warned about.

The digest is no part of a stage's key: whoever edits a comment should not lose an hour of rollouts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import algengine
import simengine
from algengine.table.stage import Stage

_SUFFIXES = (".py", ".yaml")


def code_folders() -> tuple[Path, ...]:
    """Return where the source and the configs of both packages lie; a checkout has a folder of configs."""
    packages = [Path(package.__file__).resolve().parent for package in (simengine, algengine)]
    return *packages, packages[1].parents[2] / "configs"


def code_digest(folders: Sequence[Path] = code_folders()) -> str:
    """Return the hex SHA-256 of the names and contents of all source files and configs below some folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def warning(stages: Sequence[Stage], root: Path, code: str) -> str:
    """Return one line if stages are done whose markers tell of other code than the digest `code`, else nothing."""
    done = [stage for stage in stages if (root / stage.marker).is_file()]
    old = [stage for stage in done if json.loads((root / stage.marker).read_text()).get("code") != code]
    if not old:
        return ""
    return (
        f"{len(old)} of {len(done)} finished stages were made by other code than this and are kept ({old[0].name}, "
        f"...): if the change matters, give another --work-dir, or delete {root}, to make all again"
    )
