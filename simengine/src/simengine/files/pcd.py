"""Point clouds as .pcd files, version 0.7, binary: the format of PCL, and of nuPlan's `MergedPointCloud`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from simengine.errors import ScenarioFormatError

_KINDS = {"F": "f", "U": "u", "I": "i"}
_LETTERS = {kind: letter for letter, kind in _KINDS.items()}
_MAX_HEADER = 4096


def pcd_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return the file of a cloud.

    Args:
        columns: name -> (N,) numbers, written in order and in their own types, little-endian.
    """
    kinds = {name: np.asarray(column).dtype.newbyteorder("<") for name, column in columns.items()}
    counts = {len(column) for column in columns.values()}
    odd = [name for name, kind in kinds.items() if kind.kind not in _LETTERS or np.ndim(columns[name]) != 1]
    if odd or len(counts) != 1:
        shapes = {name: np.shape(column) for name, column in columns.items()}
        raise ScenarioFormatError(
            f"a point cloud has columns of shapes {shapes}, expected numbers (N,), all of one length"
        )
    (count,) = counts
    rows = np.empty(count, np.dtype(list(kinds.items())))
    for name, column in columns.items():
        rows[name] = column
    header = (
        "# .PCD v0.7 - Point Cloud Data file format",
        "VERSION 0.7",
        f"FIELDS {' '.join(kinds)}",
        f"SIZE {' '.join(str(kind.itemsize) for kind in kinds.values())}",
        f"TYPE {' '.join(_LETTERS[kind.kind] for kind in kinds.values())}",
        f"COUNT {' '.join('1' for _ in kinds)}",
        f"WIDTH {count}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {count}",
        "DATA binary",
    )
    return ("\n".join(header) + "\n").encode() + rows.tobytes()


def read_pcd(path: Path) -> dict[str, np.ndarray]:
    """Return the columns (N,) of a cloud by name.

    Raises:
        ScenarioFormatError: the file is missing, truncated, not binary, or has fields of several numbers.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ScenarioFormatError(
            f"{path}: cannot be read ({error.strerror or error}), expected a point cloud: check the path"
        ) from None
    end = content.find(b"\nDATA ", 0, _MAX_HEADER)
    start = content.find(b"\n", end + 1, _MAX_HEADER) + 1
    if end < 0 or start < 1:
        raise _broken(path, "it has no header")
    lines = content[: start - 1].decode("ascii", errors="replace").splitlines()
    header = {words[0]: words[1:] for line in lines if (words := line.split()) and words[0] != "#"}
    if header.get("DATA") != ["binary"]:
        raise _broken(path, f"its data are {' '.join(header.get('DATA', ['missing']))}")
    try:
        kinds = [
            (name, f"<{_KINDS[letter]}{int(size)}")
            for name, letter, size in zip(header["FIELDS"], header["TYPE"], header["SIZE"], strict=True)
        ]
        row, count = np.dtype(kinds), int(header["POINTS"][0])
        single = all(int(number) == 1 for number in header.get("COUNT", ()))
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise _broken(path, f"its header does not fit together ({type(error).__name__}: {error})") from None
    if not single:
        raise _broken(path, "a field has several numbers")
    if count < 0 or len(content) - start < count * row.itemsize:
        raise _broken(path, f"it ends before its {count} points do")
    rows = np.frombuffer(content, row, count, start)
    return {name: rows[name].copy() for name in row.names or ()}


def _broken(path: Path, what: str) -> ScenarioFormatError:
    return ScenarioFormatError(
        f"{path}: {what}, expected a whole binary .pcd with single numbers as fields: write it again"
    )
