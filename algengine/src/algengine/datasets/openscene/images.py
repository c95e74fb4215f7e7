"""Images of frames, each decoded once and kept while frames that share it are asked for."""

from __future__ import annotations

import io
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from algengine.datasets.frames import resize
from algengine.errors import RecordingError


@dataclass(frozen=True)
class Decoded:
    """One image.

    Attributes:
        pixels: (H, W, 3) uint8 RGB at the network's size.
        stored_size: width and height of the file, which the calibration is for [px].
    """

    pixels: np.ndarray
    stored_size: tuple[int, int]


class ImageStore:
    """Reads JPEG files at one size; the last ones used stay in memory.

    Every worker of a loader has its own, so what it holds is bounded for each.

    Args:
        root: what relative paths are relative to.
        size_px: width and height of the network's images.
        capacity: most images to keep; a clip of four frames and eight cameras has 32.
    """

    def __init__(self, root: Path, size_px: tuple[int, int], capacity: int = 64) -> None:
        self.root, self.size_px, self.capacity = Path(root), size_px, capacity
        self.reads = 0
        self._kept: OrderedDict[str, Decoded] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def path(self, name: str) -> Path:
        """Return where an image lies; absolute names are taken as they are."""
        return self.root / name

    def read(self, name: str, token: str) -> Decoded:
        """Return the image called `name` in the frame `token`.

        Raises:
            RecordingError: it is missing or broken.
        """
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        decoded = decode(self.path(name), token, self.root, self.size_px)
        self.reads += 1
        self._kept[name] = decoded
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)
        return decoded


def decode(path: Path, token: str, root: Path, size_px: tuple[int, int]) -> Decoded:
    """Return the image at `path` at `size_px`.

    Half, a quarter or an eighth of the stored size is what the JPEG decoder itself yields, several times faster; other
    sizes are averaged from the full image.

    Raises:
        RecordingError: it is missing or broken.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordingError(
            f"frame {token}: no image {path} ({error.strerror}), expected the sensor files below {root}: unpack them "
            "there, or set img_root"
        ) from None
    try:
        with Image.open(io.BytesIO(content)) as image:
            stored = image.size
            if any((size_px[0] * k, size_px[1] * k) == stored for k in (2, 4, 8)):
                image.draft("RGB", size_px)
            return Decoded(resize(np.asarray(image.convert("RGB")), size_px), stored)
    except (OSError, ValueError, SyntaxError) as error:
        raise RecordingError(
            f"frame {token}: the image {path} cannot be decoded ({error}), expected a JPEG file: copy it again"
        ) from None
