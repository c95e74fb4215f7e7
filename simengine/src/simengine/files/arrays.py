"""One .npz with arrays and a JSON header: the container of scenarios, maps, records and observation logs.

It owns the check of format name and version, and ragged arrays. Files load with `allow_pickle=False`.
"""

from __future__ import annotations

import io
import itertools
import json
import zipfile
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError
from simengine.files.atomic import write_atomically

HEADER = "header"
_UNREADABLE = (
    ValueError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    UnicodeDecodeError,
)


def encode_header(header: dict) -> np.ndarray:
    """Return `header` as uint8 JSON.

    Raises:
        ScenarioFormatError: a value is not a JSON value.
    """
    try:
        text = json.dumps(header, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ScenarioFormatError(
            f"header cannot be written ({error}), expected JSON values only: convert tags to plain numbers, "
            "strings, lists and dicts"
        ) from None
    return np.frombuffer(text.encode(), np.uint8)


def write_arrays(path: Path, header: dict, arrays: dict[str, np.ndarray], compress: bool = True) -> None:
    """Write `header` and `arrays` to `path`; readers see either the old file or the whole new one."""
    path = Path(path)
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ScenarioFormatError(f"{name} has dtype {array.dtype}, expected numbers: use a plain array")
    buffer = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(buffer, **{HEADER: encode_header(header)}, **arrays)
    write_atomically(path, buffer.getvalue())


def read_arrays(
    path: Path, format_name: str, version: int, without: Collection[str] = ()
) -> tuple[dict, dict[str, np.ndarray]]:
    """Return header and arrays of a file written by `write_arrays`.

    Args:
        path: of the file.
        format_name: format that is expected.
        version: of the format.
        without: arrays that are not read.

    Raises:
        ScenarioFormatError: the file is missing, truncated, corrupt, of another format or version.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if (start := file.read(2)) and start != b"PK":  # numpy would suggest to unpickle it
                raise ValueError("it is no .npz archive")
        with np.load(path, allow_pickle=False) as stored:
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            arrays = {name: stored[name] for name in stored.files if name not in without}
        header = json.loads(arrays.pop(HEADER).tobytes())
        if not isinstance(header, dict):
            raise ValueError("the header is no mapping")
    except _UNREADABLE as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({type(error).__name__}: {error}), expected a complete {format_name} file: "
            "make or copy it again"
        ) from None
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror or error}), expected a {format_name} file: check the path"
        ) from None
    found = (header.get("format"), header.get("version"))
    if found != (format_name, version):
        raise ScenarioFormatError(
            f"{path}: format {found[0]!r} version {found[1]!r}, expected {format_name!r} version {version}: "
            "make it again with this release"
        )
    return header, arrays


def pack_ragged(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return points (sum N_k, 2) and offsets (K + 1,) of K arrays (N_k, 2)."""
    counts = [len(part) for part in parts]
    offsets = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    kept = [np.asarray(part, np.float64).reshape(-1, 2) for part in parts if len(part)]
    return (np.concatenate(kept) if kept else np.zeros((0, 2))), offsets


def unpack_ragged(points: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """Return the arrays (N_k, 2) that `pack_ragged` joined."""
    return [points[a:b].copy() for a, b in itertools.pairwise(offsets.tolist())]
