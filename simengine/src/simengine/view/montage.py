"""Pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

BACKGROUND = (24, 27, 32)
_GAP_PX = 4


def caption(image: np.ndarray, text: str) -> np.ndarray:
    """Return a copy of an image (H, W, 3) with a line of text in its upper left corner."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    size = min(max(11, image.shape[0] // 18), 22)
    # Not every font has every letter of an id.
    text = text.encode("ascii", "replace").decode()
    left, top, right, bottom = draw.textbbox((6, 4), text, font_size=size)
    draw.rectangle((left - 4, top - 3, right + 4, bottom + 3), fill=BACKGROUND)
    draw.text((6, 4), text, fill=(240, 240, 240), font_size=size)
    return np.asarray(picture)


def tile(images: Sequence[np.ndarray | None], columns: int) -> np.ndarray:
    """Return images (H, W, 3) uint8 of one size as a grid, row by row; None leaves a place empty."""
    height, width = next(image for image in images if image is not None).shape[:2]
    rows = -(-len(images) // columns)
    shape = (rows * (height + _GAP_PX) - _GAP_PX, columns * (width + _GAP_PX) - _GAP_PX, 3)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    for k, image in enumerate(images):
        top, left = k // columns * (height + _GAP_PX), k % columns * (width + _GAP_PX)
        if image is not None:
            canvas[top : top + height, left : left + width] = image
    return canvas


def beside(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return two images side by side; the lower one is centred."""
    height = max(len(left), len(right))
    parts = [
        _padded(left, height),
        np.full((height, _GAP_PX, 3), BACKGROUND, np.uint8),
        _padded(right, height),
    ]
    return np.concatenate(parts, axis=1)


def even(image: np.ndarray) -> np.ndarray:
    """Return an image whose sides are even, which the colours of a video need; up to a row and a column more."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _padded(image: np.ndarray, height: int) -> np.ndarray:
    canvas = np.full((height, image.shape[1], 3), BACKGROUND, np.uint8)
    top = (height - len(image)) // 2
    canvas[top : top + len(image)] = image
    return canvas
