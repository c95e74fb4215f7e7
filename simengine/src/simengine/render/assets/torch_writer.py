"""Writes files that `torch.load` reads, without torch: dictionaries of arrays, numbers, texts and lists.

Each array becomes a tensor with a storage of its own; see `torch_archive.py` for the format.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import ClassVar

import numpy as np

from simengine.errors import AssetError

_PROTOCOL = 2
_STORAGES = {
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
}
_ROOT = "archive"
_PLAIN = (dict, list, tuple, str, int, float, bool, type(None), np.ndarray)


class _TensorPickler(pickle._Pickler):
    """Writes arrays as torch does tensors: a call that puts a view on numbers kept elsewhere in the zip."""

    dispatch: ClassVar[dict] = dict(pickle._Pickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, _PROTOCOL)
        self.storages: list[np.ndarray] = []

    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        """Write one value, or refuse what no asset holds."""
        if type(obj) not in _PLAIN:
            raise AssetError(
                f"a {type(obj).__name__} has no place in a .ckpt, expected arrays and plain containers"
            )
        super().save(obj, save_persistent_id)

    def save_array(self, array: np.ndarray) -> None:
        """Write one tensor."""
        if array.dtype.name not in _STORAGES:
            raise AssetError(
                f"an array of {array.dtype} has no place in a .ckpt, expected {', '.join(_STORAGES)}"
            )
        key = str(len(self.storages))
        self.storages.append(np.ascontiguousarray(array, array.dtype.newbyteorder("<")))
        strides = [step // array.itemsize for step in self.storages[-1].strides]
        self.write(b"ctorch._utils\n_rebuild_tensor_v2\n" + pickle.MARK + pickle.MARK)
        self.save("storage")
        self.write(b"ctorch\n" + _STORAGES[array.dtype.name].encode() + b"\n")
        for value in (key, "cpu", int(array.size)):
            self.save(value)
        self.write(pickle.TUPLE + pickle.BINPERSID)
        for value in (0, tuple(map(int, array.shape)), tuple(strides), False):
            self.save(value)
        # No hooks: torch writes an ordered dictionary without items.
        self.write(b"ccollections\nOrderedDict\n)R" + pickle.TUPLE + pickle.REDUCE)
        self.memoize(array)

    dispatch[np.ndarray] = save_array


def torch_bytes(value: object) -> bytes:
    """Return `value` as the content of a file of `torch.save`.

    Raises:
        AssetError: something in it is neither an array nor plain.
    """
    described, content = io.BytesIO(), io.BytesIO()
    pickler = _TensorPickler(described)
    pickler.dump(value)
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{_ROOT}/data.pkl", described.getvalue())
        archive.writestr(f"{_ROOT}/byteorder", b"little")
        for key, numbers in enumerate(pickler.storages):
            archive.writestr(f"{_ROOT}/data/{key}", numbers.tobytes())
        archive.writestr(f"{_ROOT}/version", b"3\n")
    return content.getvalue()
