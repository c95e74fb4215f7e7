"""Arrays of an uncompressed .npz as memory maps: opened in no time, read only where they are looked at."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.arrays import HEADER

_LOCAL_HEADER = 30
_UNREADABLE = (ValueError, KeyError, EOFError, OSError, struct.error, zipfile.BadZipFile, UnicodeDecodeError)


@dataclass(frozen=True)
class _Layout:
    """Header of a file, and where its arrays lie: bytes from the start, type and shape by name."""

    header: dict
    places: dict[str, tuple[int, np.dtype, tuple[int, ...]]]


def map_arrays(path: Path, format_name: str, version: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Return header and memory-mapped arrays of a file written by `write_arrays(..., compress=False)`.

    Only the directory of the file and the heads of its arrays are checked here, not their content, and those only when
    the file is new or has changed. All arrays share one mapping, so an open file costs one descriptor.

    Raises:
        ScenarioFormatError: the file is missing, truncated, compressed, of another format or version.
    """
    path = Path(path)
    try:
        found = path.stat()
        layout = _read_layout(path, found.st_ino, found.st_size, found.st_mtime_ns)
        with path.open("rb") as file:
            # Not `np.memmap`, whose views cost several times as much.
            raw = np.frombuffer(mmap(file.fileno(), 0, access=ACCESS_READ), np.uint8)
        arrays = {
            name: raw[start : start + kind.itemsize * math.prod(shape)].view(kind).reshape(shape)
            for name, (start, kind, shape) in layout.places.items()
        }
    except _UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ScenarioFormatError(
            f"{path}: cannot be read ({type(error).__name__}: {reason}), expected a complete {format_name} file: "
            "delete it and make it again"
        ) from None
    known = (layout.header.get("format"), layout.header.get("version"))
    if known != (format_name, version):
        raise ScenarioFormatError(
            f"{path}: format {known[0]!r} version {known[1]!r}, expected {format_name!r} version {version}: "
            "make it again with this release"
        )
    return layout.header, arrays


@lru_cache(maxsize=16384)
def _read_layout(path: Path, inode: int, size: int, changed: int) -> _Layout:
    """Return the layout of a file; the last three say which content of it.

    Training opens the same files at every update, and parsing heads would take most of its time.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        places = {info.filename.removesuffix(".npy"): _place(file, info) for info in archive.infolist()}
        start, kind, shape = places.pop(HEADER)
        file.seek(start)
        header = json.loads(file.read(kind.itemsize * math.prod(shape)))
    return _Layout(header, places)


def _place(file: BinaryIO, info: zipfile.ZipInfo) -> tuple[int, np.dtype, tuple[int, ...]]:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed")
    file.seek(info.header_offset)
    head = file.read(_LOCAL_HEADER)
    name_length, extra_length = struct.unpack("<HH", head[26:30])
    file.seek(info.header_offset + _LOCAL_HEADER + name_length + extra_length)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, kind = read(file)
    if kind.hasobject or fortran:
        raise ValueError(f"{info.filename} is no plain array")
    return file.tell(), kind, shape
