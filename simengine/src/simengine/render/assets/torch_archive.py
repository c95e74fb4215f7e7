"""Reads files of `torch.save` without torch and without running what they hold.

Such a file is a zip: `<name>/data.pkl` describes the object, `<name>/data/<key>` are the numbers of its tensors.
The pickle goes through the names of the restricted unpickler and the few that tensors need; tensors become arrays.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from simengine.errors import AssetError
from simengine.scenario.restricted_pickle import MALFORMED, ForbiddenNameError, admitted_names, finished

_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?", "BFloat16Storage": "bfloat16",
}  # fmt: skip
_MAX_EXPANSION = 64
"""How many times a tensor may repeat the numbers of its storage; more is a bomb."""


def read_torch(path: Path) -> object:
    """Return what `torch.save` wrote to `path`, tensors as arrays; bfloat16 becomes float32.

    Admitted are tensors, parameters, sizes, numpy arrays, plain containers and numbers.

    Raises:
        AssetError: the file is missing, truncated, of torch before 1.6, or holds anything else.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except ForbiddenNameError as error:
        raise AssetError(
            f"{path}: asks for {error}, expected tensors and plain containers only; it was not run: do not trust "
            "this file, or save it again as plain tensors"
        ) from None
    except OSError as error:
        raise AssetError(
            f"{path}: cannot be read ({error.strerror or error}), expected a file of torch.save: check the path"
        ) from None
    except (*MALFORMED, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise AssetError(f"{path}: {_what_is_wrong(path, error)}") from None


def _what_is_wrong(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(2)
    if start[:1] == b"\x80":
        return (
            "is a file of torch before 1.6, expected the zip format: load it with torch on a machine you trust and "
            "save it again"
        )
    if start != b"PK":
        return "is no file of torch.save, expected its zip format: check the path"
    return (
        f"is damaged ({type(error).__name__}: {error}), expected a complete file of torch.save: copy it again"
    )


def _read(archive: zipfile.ZipFile) -> object:
    names = archive.namelist()
    root = next((name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")), None)
    if root is None:
        raise ValueError("there is no data.pkl inside")
    if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("its numbers are big-endian")
    storages: dict[str, np.ndarray] = {}

    def storage(key: str, dtype: str) -> np.ndarray:
        if key not in storages:
            storages[key] = _numbers(archive, f"{root}data/{key}", dtype)
        return storages[key]

    return finished(_TensorUnpickler(archive.read(f"{root}data.pkl"), storage).load(), {})


def _numbers(archive: zipfile.ZipFile, name: str, dtype: str) -> np.ndarray:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    raw = archive.read(name)
    if dtype == "bfloat16":
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(raw, dtype)


class _StorageKind:
    """What a pickle names as the type of a storage."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class _TensorUnpickler(pickle.Unpickler):
    """Unpickler of plain data and tensors; looks names up in a fixed table."""

    def __init__(self, content: bytes, storage: Callable[[str, str], np.ndarray]) -> None:
        super().__init__(io.BytesIO(content))
        self._storage = storage
        self._names = admitted_names() | {
            ("torch._utils", "_rebuild_tensor_v2"): lambda *arguments: _tensor(*arguments[:4]),
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
            ("torch", "Size"): lambda sizes=(): tuple(sizes),
        }
        for name, dtype in _STORAGES.items():
            self._names["torch", name] = _StorageKind(dtype)

    def find_class(self, module: str, name: str) -> object:
        """Return the admitted object, or refuse without importing anything."""
        try:
            return self._names[module, name]
        except KeyError:
            raise ForbiddenNameError(f"{module}.{name}") from None

    def persistent_load(self, pid: object) -> np.ndarray:
        """Return the numbers of one storage."""
        mark, kind, key, _device, count = pid  # type: ignore[misc]
        if mark != "storage" or not isinstance(kind, _StorageKind) or kind.dtype not in _STORAGES.values():
            raise ForbiddenNameError(f"the storage {pid!r}")
        numbers = self._storage(str(key), kind.dtype)
        if len(numbers) < count:
            raise ValueError(f"storage {key} has {len(numbers)} numbers instead of {count}")
        return numbers


def _tensor(storage: np.ndarray, offset: int, size: tuple, stride: tuple) -> np.ndarray:
    """Return the view of a storage that a tensor is, after checking that it stays inside."""
    numbers = [offset, *size, *stride]
    if not isinstance(storage, np.ndarray) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("a tensor has no proper size")
    if len(size) != len(stride):
        raise ValueError(f"a tensor has size {size} and stride {stride}")
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and (last >= len(storage) or count > _MAX_EXPANSION * len(storage)):
        raise ValueError(f"a tensor of size {size} does not fit its storage of {len(storage)}")
    if not count:
        return np.zeros(size, storage.dtype)
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False)
