"""Links to what other folders hold, made and renewed in one step each."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from simengine.errors import ConfigError


def link_file(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`: a hard link, or a copy where file systems differ.

    A target that is another file, left by an earlier merge, is replaced.
    """
    if target.exists() and not target.is_symlink() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def link_folder(source: Path, target: Path) -> None:
    """Make `target` a symbolic link to `source`, relative so that both can move together.

    A link to somewhere else is replaced; a real folder is not.

    Raises:
        ConfigError: the target is a real folder.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = os.path.relpath(source.resolve(), target.parent.resolve())
    if target.is_symlink() and os.readlink(target) == path:
        return
    if target.exists() and not target.is_symlink():
        raise ConfigError(f"{target} is a folder of its own, expected a link or nothing: move it away")
    temporary = _temporary(target)
    try:
        temporary.symlink_to(path, target_is_directory=True)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.tmp")
