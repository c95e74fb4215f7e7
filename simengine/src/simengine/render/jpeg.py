"""JPEG files of images, made beside the simulation rather than in its way.

Pillow's wheels encode with libjpeg-turbo. They hold the interpreter's lock, one buffer of 64 kB at a time, so encoding
overlaps with what computes without the lock: rendering, simulating, scoring, and waiting for a planner.
"""

from __future__ import annotations

import io
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from PIL import Image

from simengine.datatypes.observation import host_image

_THREADS = 2
_MAX_PENDING = 32
"""Images that may wait: 0.2 GB at 1920x1080."""


def encode_jpeg(image: Any, quality: int) -> bytes:
    """Return an RGB image (H, W, 3) uint8, an array or a tensor on any device, as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(host_image(image))).save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


class JpegPool:
    """Encodes images on a few threads; what comes out is what `encode_jpeg` returns.

    Args:
        threads: how many.
        max_pending: images that may wait; more make `submit` wait.
    """

    def __init__(self, threads: int = _THREADS, max_pending: int = _MAX_PENDING) -> None:
        self._pool = ThreadPoolExecutor(threads, "jpeg")
        self._room = BoundedSemaphore(max_pending)

    def submit(self, image: Any, quality: int) -> Future[bytes]:
        """Return the JPEG file of an image to come; the image must not change. Its errors are raised by the result."""
        self._room.acquire()
        try:
            return self._pool.submit(self._encode, image, quality)
        except RuntimeError:
            self._room.release()
            raise

    def close(self) -> None:
        """Finish what was submitted and end the threads."""
        self._pool.shutdown()

    def _encode(self, image: Any, quality: int) -> bytes:
        try:
            return encode_jpeg(image, quality)
        finally:
            self._room.release()
