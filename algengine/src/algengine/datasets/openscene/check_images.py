"""Which images of many frames are missing, each folder listed once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from algengine.datasets.openscene.frame import Frame


def missing_images(root: Path, frames: Iterable[Frame], cameras: Sequence[str] = ()) -> tuple[int, list[str]]:
    """Return how many images the frames have, and the paths below `root` of those that are not there.

    Args:
        root: what image paths are relative to.
        frames: frames to look at.
        cameras: channels to look at, all if empty.
    """
    listed: dict[str, set[str]] = {}
    count, missing = 0, []
    for frame in frames:
        for camera, image in zip(frame.cameras, frame.images, strict=True):
            if cameras and camera.name not in cameras:
                continue
            count += 1
            path = PurePosixPath(image)
            folder = str(path.parent)
            if folder not in listed:
                listed[folder] = _names(root / folder)
            if path.name not in listed[folder]:
                missing.append(image)
    return count, missing


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()
