"""The vertices of a .ply file as named columns: header, number types, ASCII and both byte orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simengine.errors import AssetError

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_MAX_HEADER = 1 << 20


@dataclass(frozen=True)
class _Element:
    """One kind of item: how many there are and the columns of each."""

    name: str
    count: int
    columns: tuple[tuple[str, str], ...]
    has_lists: bool


def read_vertices(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return the columns (N,) of the vertices by name, and the comments of the header.

    Elements after the vertices are not read.

    Raises:
        AssetError: the file is missing, no .ply, truncated, or its vertices hold lists.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{path}: cannot be read ({error.strerror}), expected a .ply file: check the path"
        ) from None
    try:
        order, elements, comments, start = _header(content)
        return _columns(content, order, elements, start), comments
    except (ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise AssetError(
            f"{path}: {error}, expected a complete .ply file with numbers for each vertex: export or copy it again"
        ) from None


def _header(content: bytes) -> tuple[str, list[_Element], tuple[str, ...], int]:
    if not content.startswith(b"ply"):
        raise ValueError("does not begin with 'ply'")
    end = content.find(b"end_header", 0, _MAX_HEADER)
    stop = content.find(b"\n", end)
    if end < 0 or stop < 0:
        raise ValueError("its header has no end")
    order, elements, comments = "", [], []
    for line in content[:end].decode("ascii", "replace").splitlines()[1:]:
        words = line.split()
        if not words or words[0] == "obj_info":
            continue
        if words[0] == "comment":
            comments.append(line.strip()[len("comment") :].strip())
        elif words[0] == "format" and words[1] in _ORDERS:
            order = words[1]
        elif words[0] == "element" and int(words[2]) >= 0:
            elements.append(_Element(words[1], int(words[2]), (), False))
        elif words[0] == "property" and elements:
            last = elements[-1]
            if words[1] == "list":
                elements[-1] = _Element(last.name, last.count, last.columns, True)
            elif words[1] in _TYPES:
                columns = (*last.columns, (words[2], _TYPES[words[1]]))
                elements[-1] = _Element(last.name, last.count, columns, last.has_lists)
            else:
                raise ValueError(f"its header has a property of type {words[1]!r}")
        else:
            raise ValueError(f"its header has the line {line.strip()!r}")
    if not order:
        raise ValueError("its header names no format")
    return order, elements, tuple(comments), stop + 1


def _columns(content: bytes, order: str, elements: list[_Element], start: int) -> dict[str, np.ndarray]:
    skipped = 0
    for element in elements:
        if element.has_lists:
            raise ValueError(f"its element {element.name!r} holds lists before or among the vertices")
        kind = np.dtype([(name, _ORDERS[order] + code) for name, code in element.columns])
        if element.name != "vertex":
            start += element.count * kind.itemsize if order != "ascii" else 0
            skipped += element.count
            continue
        if order == "ascii":
            return _ascii_columns(content[start:], element, skipped)
        if len(content) < start + element.count * kind.itemsize:
            have = max(len(content) - start, 0) // max(kind.itemsize, 1)
            raise ValueError(f"ends after {have} of {element.count} vertices")
        table = np.frombuffer(content, kind, element.count, start)
        return {name: table[name] for name, _ in element.columns}
    raise ValueError("has no vertices")


def _ascii_columns(body: bytes, element: _Element, skipped: int) -> dict[str, np.ndarray]:
    rows = [line.split() for line in body.splitlines() if line.strip()][skipped : skipped + element.count]
    width = len(element.columns)
    if len(rows) < element.count or any(len(row) != width for row in rows):
        raise ValueError(f"has not {width} numbers in each of {element.count} lines")
    table = np.array(rows, dtype=np.float64).reshape(element.count, width)
    return {name: table[:, k] for k, (name, _) in enumerate(element.columns)}


def vertices_bytes(columns: Mapping[str, np.ndarray], comments: tuple[str, ...] = ()) -> bytes:
    """Return a binary little-endian .ply whose vertices have the float32 `columns` (N,)."""
    count = len(next(iter(columns.values())))
    lines = ["ply", "format binary_little_endian 1.0", *(f"comment {text}" for text in comments)]
    lines += [f"element vertex {count}", *(f"property float {name}" for name in columns), "end_header"]
    table = np.stack([np.asarray(column, "<f4") for column in columns.values()], axis=1)
    return ("\n".join(lines) + "\n").encode("ascii") + table.tobytes()
