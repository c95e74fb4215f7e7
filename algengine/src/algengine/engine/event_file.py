"""Curves in TensorBoard's event files, written without TensorBoard.

A file is a sequence of records (length, checksum, bytes, checksum), each of which is one `Event` message in protocol
buffers' wire format: https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto
"""

from __future__ import annotations

import struct
import time
from functools import cache
from numbers import Real
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from mmengine.visualization.vis_backend import BaseVisBackend

from algengine.registry import VISBACKENDS

_CRC32C = 0x82F63B78
_MASK_DELTA = 0xA282EAD8


@VISBACKENDS.register_module()
class EventFileBackend(BaseVisBackend):
    """Writes every logged number to one event file of the run.

    Args:
        save_dir: folder of the file, made with the first number.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)
        self._file: BinaryIO | None = None

    def _init_env(self) -> None:
        folder = Path(self._save_dir)
        folder.mkdir(parents=True, exist_ok=True)
        now = time.time()
        self._file = (folder / f"events.out.tfevents.{int(now)}.algengine").open("ab")
        self._write(encode_event(now, file_version="brain.Event:2"))

    @property
    def experiment(self) -> EventFileBackend:
        """This writer."""
        return self

    def add_scalar(self, name: str, value: object, step: int = 0, **_: object) -> None:
        """Write one number; anything else is left out."""
        self.add_scalars({name: value}, step)

    def add_scalars(
        self, scalar_dict: dict, step: int = 0, file_path: str | None = None, **_: object
    ) -> None:
        """Write numbers of one step; anything else is left out."""
        numbers = {key: float(value) for key, value in scalar_dict.items() if _is_number(value)}
        if not numbers:
            return
        if self._file is None:
            self._init_env()
        self._write(encode_event(time.time(), int(step), numbers))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, event: bytes) -> None:
        self._file.write(encode_record(event))
        self._file.flush()


def _is_number(value: object) -> bool:
    return isinstance(value, Real) or (
        isinstance(value, (torch.Tensor, np.ndarray)) and np.prod(value.shape) == 1
    )


def encode_event(
    wall_time: float, step: int = 0, scalars: dict[str, float] | None = None, file_version: str = ""
) -> bytes:
    """Return an `Event` message: the version that opens a file, or the scalars of one step."""
    event = b"\x09" + struct.pack("<d", wall_time) + b"\x10" + _varint(step)
    if file_version:
        event += b"\x1a" + _bytes(file_version.encode())
    if scalars:
        values = (
            b"\x0a" + _bytes(name.encode()) + b"\x15" + struct.pack("<f", x) for name, x in scalars.items()
        )
        event += b"\x2a" + _bytes(b"".join(b"\x0a" + _bytes(value) for value in values))
    return event


def encode_record(data: bytes) -> bytes:
    """Return a record: length, its checksum, the bytes, their checksum."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked(length)) + data + struct.pack("<I", _masked(data))


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of `data`."""
    crc, table = 0xFFFFFFFF, _table()
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_CRC32C if crc & 1 else 0)
        rows.append(crc)
    return tuple(rows)


def _masked(data: bytes) -> int:
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _bytes(data: bytes) -> bytes:
    return _varint(len(data)) + data
