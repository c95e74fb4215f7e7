from __future__ import annotations

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest

from simengine.errors import AssetError
from simengine.render.assets.torch_archive import read_torch

torch = pytest.importorskip("torch")


def saved(tmp_path, value, **options):
    path = tmp_path / "a.ckpt"
    torch.save(value, path, **options)
    return path


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"]
)
def test_every_type_of_number(tmp_path, dtype):
    tensor = (torch.arange(12).reshape(3, 4) * 0.5).to(getattr(torch, dtype))
    read = read_torch(saved(tmp_path, {"x": tensor}))["x"]
    expected = tensor.float().numpy() if dtype == "bfloat16" else tensor.numpy()
    np.testing.assert_array_equal(read, expected)
    assert read.dtype == expected.dtype


def test_views_share_a_storage_and_containers_stay(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    module = torch.nn.Linear(2, 3)
    value = {
        "views": [base.T, base[1:3, ::2], base[:, :1].expand(4, 3), torch.zeros(0, 3), torch.tensor(5.0)],
        "config": collections.OrderedDict(name="x", shape=base.shape, none=None, number=np.float64(2.5)),
        "parameter": torch.nn.Parameter(base),
        "array": np.arange(3),
        "module": module.state_dict(),
    }
    read = read_torch(saved(tmp_path, value))
    for got, expected in zip(read["views"], value["views"], strict=True):
        np.testing.assert_array_equal(got, expected.numpy())
    assert read["config"] == value["config"] and read["config"]["shape"] == (4, 6)
    np.testing.assert_array_equal(read["parameter"], base.numpy())
    np.testing.assert_array_equal(read["array"], np.arange(3))
    np.testing.assert_array_equal(read["module"]["weight"], module.weight.detach().numpy())


class Bomb:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_code_is_refused_and_does_not_run(tmp_path):
    target = tmp_path / "ran"
    with pytest.raises(AssetError, match=r"asks for (posix|os)\.mkdir.*it was not run"):
        read_torch(saved(tmp_path, {"x": Bomb(target)}))
    assert not target.exists()
    with pytest.raises(AssetError, match=r"asks for torch.*Linear"):
        read_torch(saved(tmp_path, torch.nn.Linear(1, 1)))


def test_old_torch_files_and_other_files_are_named(tmp_path):
    old = saved(tmp_path, {"x": torch.zeros(2)}, _use_new_zipfile_serialization=False)
    with pytest.raises(AssetError, match=r"torch before 1\.6.*save it again"):
        read_torch(old)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(AssetError, match="no file of torch"):
        read_torch(tmp_path / "text")
    with pytest.raises(AssetError, match="No such file"):
        read_torch(tmp_path / "missing")
    with pytest.raises(AssetError, match="cannot be read"):
        read_torch(tmp_path)


def test_every_truncation_and_flipped_byte_is_one_sentence(tmp_path):
    path = saved(tmp_path, {"x": torch.arange(50.0), "y": {"z": torch.ones(3, 3)}})
    content = path.read_bytes()
    for size in range(0, len(content) - 1, 97):
        path.write_bytes(content[:size])
        with pytest.raises(AssetError):
            read_torch(path)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 200):
        broken = bytearray(content)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(broken))
        try:
            read_torch(path)
        except AssetError as error:
            assert "\n" not in str(error)


def rewritten(path, change):
    """Write the archive at `path` again with every entry passed through `change`."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, change(name, content))
    return path


def test_tensors_may_not_reach_beyond_their_storage(tmp_path):
    path = saved(tmp_path, {"x": torch.arange(6.0).reshape(2, 3)})
    # Protocol 2 writes the size (2, 3) as two small integers and TUPLE2.
    grown = rewritten(path, lambda name, raw: raw.replace(b"K\x02K\x03\x86", b"K\x02K\xff\x86"))
    with pytest.raises(AssetError, match="does not fit its storage"):
        read_torch(grown)


def test_compressed_entries_are_refused(tmp_path):
    path = saved(tmp_path, {"x": torch.zeros(1000)})
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(AssetError, match="compressed"):
        read_torch(path)


def test_a_storage_must_be_a_known_kind(tmp_path):
    path = saved(tmp_path, {"x": torch.zeros(4)})

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", "not a kind", "0", "cpu", 4) if value is marker else None

    marker = object.__new__(type("Marker", (), {}))
    import io

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"x": marker})
    rewritten(path, lambda name, raw: buffer.getvalue() if name.endswith("data.pkl") else raw)
    with pytest.raises(AssetError, match="asks for the storage"):
        read_torch(path)
