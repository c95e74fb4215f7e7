"""Arrays as raw bytes beside a message: where each lies, and the checks before it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from simengine.errors import BridgeError

IN_SHARED_MEMORY = -1
SMALL_ARRAY_BYTES = 32 * 1024
MAX_ARRAY_BYTES = 2**32
MAX_DIMENSIONS = 8
_ALIGNMENT = 64
_DTYPES = frozenset({"|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"})


class ArrayRef(msgspec.Struct, frozen=True, array_like=True):
    """Where the values of one array lie.

    Attributes:
        dtype: numpy's type string, little-endian numbers and booleans only.
        shape: any shape, also with zeros.
        frame: index among the raw frames of the message, or `IN_SHARED_MEMORY`.
        offset: first byte within the frame or the shared memory.
    """

    dtype: str
    shape: tuple[int, ...]
    frame: int
    offset: int


class ArraySink(Protocol):
    """Something that takes arrays and says where it put them."""

    def add(self, name: str, array: np.ndarray) -> ArrayRef:
        """Store the values of `array` (C order) and return where."""
        ...


class FrameWriter:
    """Collects arrays into raw frames: small ones together in frame 0, large ones one frame each."""

    def __init__(self) -> None:
        self._small = bytearray()
        self._large: list[memoryview] = []

    def add(self, name: str, array: np.ndarray) -> ArrayRef:
        """Take an array; large contiguous ones are referred to, not copied."""
        dtype = require_sendable(name, array)
        if array.nbytes > SMALL_ARRAY_BYTES:
            flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            self._large.append(memoryview(flat))
            return ArrayRef(dtype, array.shape, len(self._large), 0)
        offset = len(self._small)
        self._small += array.tobytes()
        self._small += bytes(-len(self._small) % 8)
        return ArrayRef(dtype, array.shape, 0, offset)

    def frames(self) -> list[bytearray | memoryview]:
        """Return the raw frames, frame 0 first."""
        return [self._small, *self._large]


class FrameReader:
    """Reads arrays from raw frames and, where the sender used it, from shared memory."""

    def __init__(
        self, frames: Sequence[memoryview], sizes: Sequence[int], shared: np.ndarray | None = None
    ) -> None:
        got = tuple(frame.nbytes for frame in frames)
        if got != tuple(sizes):
            raise BridgeError(
                f"a message has raw frames of {_brief(got)} bytes, its header says {_brief(sizes)}: it was truncated, "
                "or the two sides run different versions"
            )
        self._frames = frames
        self._shared = shared

    def read(self, name: str, ref: ArrayRef) -> np.ndarray:
        """Return the array as a read-only view where its memory is aligned, else as a read-only copy."""
        size = _checked_nbytes(name, ref)
        buffer, available = self._buffer(name, ref)
        if ref.offset < 0 or ref.offset + size > available:
            raise BridgeError(
                f"array {name} of {size} bytes at offset {ref.offset} does not fit into {available} bytes: "
                "the message is truncated or malformed"
            )
        if size == 0:
            array = np.zeros(ref.shape, ref.dtype)
        else:
            flat = np.frombuffer(buffer, np.uint8, size, ref.offset)
            array = flat.view(ref.dtype).reshape(ref.shape)
            if not array.flags.aligned or (ref.frame == 0):  # frame 0 is small: do not keep it alive
                array = array.copy()
        array.flags.writeable = False
        return array

    def _buffer(self, name: str, ref: ArrayRef) -> tuple[memoryview | np.ndarray, int]:
        if ref.frame == IN_SHARED_MEMORY:
            if self._shared is None:
                raise BridgeError(
                    f"array {name} lies in shared memory, but none was announced: the message is malformed"
                )
            return self._shared, self._shared.nbytes
        if not 0 <= ref.frame < len(self._frames):
            raise BridgeError(
                f"array {name} lies in raw frame {ref.frame} of {len(self._frames)}: the message is malformed"
            )
        return self._frames[ref.frame], self._frames[ref.frame].nbytes


def require_sendable(name: str, array: object) -> str:
    """Return the type string of an array that the bridge can carry, else raise `BridgeError`."""
    if not isinstance(array, np.ndarray):
        raise BridgeError(
            f"{name} is a {type(array).__name__}, expected a numpy array: convert it before sending"
        )
    dtype = array.dtype.str
    if dtype not in _DTYPES:
        raise BridgeError(
            f"{name} has dtype {array.dtype}, expected booleans or little-endian numbers of at most 64 bits: convert it"
        )
    _checked_nbytes(name, ArrayRef(dtype, array.shape, 0, 0))
    return dtype


def aligned_size(nbytes: int) -> int:
    """Return `nbytes` rounded up to the alignment of arrays in shared memory."""
    return nbytes + (-nbytes % _ALIGNMENT)


def _checked_nbytes(name: str, ref: ArrayRef) -> int:
    if ref.dtype not in _DTYPES:
        raise BridgeError(f"array {name} has dtype {ref.dtype[:40]!r}, expected one of {sorted(_DTYPES)}")
    # Zeros are left out of the bound: numpy refuses shapes such as (0, 2**62) as well.
    bound = math.prod(size for size in ref.shape if size > 0) * np.dtype(ref.dtype).itemsize
    if len(ref.shape) > MAX_DIMENSIONS or min(ref.shape, default=0) < 0 or bound > MAX_ARRAY_BYTES:
        raise BridgeError(
            f"array {name} has shape {_brief(ref.shape)}, expected at most {MAX_DIMENSIONS} dimensions and "
            f"{MAX_ARRAY_BYTES} bytes"
        )
    return 0 if 0 in ref.shape else bound


def _brief(sizes: Sequence[int]) -> str:
    shown = ", ".join(str(size) for size in sizes[:MAX_DIMENSIONS])
    return f"({shown}, ...)" if len(sizes) > MAX_DIMENSIONS else f"({shown})"
