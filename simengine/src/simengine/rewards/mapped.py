"""Arrays of an uncompressed .npz as memory maps: opened in no time, read only where they are looked at."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.arrays import HEADER

_LOCAL_HEADER = 30
_UNREADABLE = (ValueError, KeyError, EOFError, OSError, struct.error, zipfile.BadZipFile, UnicodeDecodeError)


def map_arrays(path: Path, format_name: str, version: int) -> tuple[dict, dict[str, np.ndarray]]:
    """Return header and memory-mapped arrays of a file written by `write_arrays(..., compress=False)`.

    Only the directory of the file and the heads of its arrays are checked here, not their content. All arrays share
    one mapping, so an open file costs one descriptor.

    Raises:
        ScenarioFormatError: the file is missing, truncated, compressed, of another format or version.
    """
    path = Path(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            raw = np.memmap(file, np.uint8, "r")
            arrays = {
                info.filename.removesuffix(".npy"): _view(raw, file, info) for info in archive.infolist()
            }
        header = json.loads(arrays.pop(HEADER).tobytes())
        found = (header.get("format"), header.get("version"))
    except _UNREADABLE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ScenarioFormatError(
            f"{path}: cannot be read ({type(error).__name__}: {reason}), expected a complete {format_name} file: "
            "delete it and make it again"
        ) from None
    if found != (format_name, version):
        raise ScenarioFormatError(
            f"{path}: format {found[0]!r} version {found[1]!r}, expected {format_name!r} version {version}: "
            "make it again with this release"
        )
    return header, arrays


def _view(raw: np.ndarray, file: BinaryIO, info: zipfile.ZipInfo) -> np.ndarray:
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
    start = file.tell()
    return raw[start : start + kind.itemsize * math.prod(shape)].view(kind).reshape(shape)
