"""Frames as a film: mp4 by FFmpeg, or an animated gif."""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from simengine.errors import ConfigError
from simengine.files.atomic import write_atomically

SUFFIXES = (".mp4", ".gif")
_QUALITY = "20"


def check_video(path: Path) -> None:
    """Raise `ConfigError` if no video can be written to `path`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"the video is {path}, expected a name that ends with {' or '.join(SUFFIXES)}")
    if path.suffix.lower() == ".mp4":
        _import_av()


def write_video(path: Path, frames: Iterable[np.ndarray], fps: float) -> int:
    """Write frames to `path`, atomically, and return how many there were.

    Args:
        path: ends with .mp4 (H.264, 4:2:0) or .gif.
        frames: (H, W, 3) uint8 RGB of one size, even sides for mp4; at least one.
        fps: frames per second; a gif holds each for whole hundredths of a second.
    """
    encode = _encode_gif if path.suffix.lower() == ".gif" else _encode_mp4
    # In memory, so that a film that is never finished leaves nothing behind; minutes of it are some megabytes.
    buffer = io.BytesIO()
    count = encode(buffer, frames, fps)
    write_atomically(path, buffer.getvalue())
    return count


def _encode_mp4(buffer: io.BytesIO, frames: Iterable[np.ndarray], fps: float) -> int:
    av = _import_av()
    count = 0
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": _QUALITY, "preset": "medium"}
        for image in frames:
            if not count:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            count += 1
        container.mux(stream.encode())
    return count


def _encode_gif(buffer: io.BytesIO, frames: Iterable[np.ndarray], fps: float) -> int:
    images = [Image.fromarray(image).quantize(dither=Image.Dither.NONE) for image in frames]
    duration = max(round(100.0 / fps), 2) * 10
    images[0].save(
        buffer, "GIF", save_all=True, append_images=images[1:], duration=duration, loop=0, optimize=False
    )
    return len(images)


def _import_av():
    try:
        import av
    except ImportError as error:
        raise ConfigError(
            f"mp4 cannot be written without {error.name or error}, expected PyAV: pip install 'simengine[view]', "
            "or write a .gif"
        ) from error
    return av
