import collections
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from scenario_factories import assert_identical, make_legacy, make_scene, write_pickle
from simengine.errors import ScenarioFormatError
from simengine.scenario.restricted_pickle import load_pickle


class _Runs:
    """Unpickling this calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _plain():
    return {
        "array": np.arange(12.0).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "strings": np.array(["a", "bcd"]),
        "bools": np.array([True, False]),
        "objects": np.array([1, "two", None], object),
        "empty": np.zeros((0, 2), np.float32),
        "scalar": np.float32(2.5),
        "nested": [(1, 2.0, None, True, b"bytes", {3, 4}, frozenset({5}), bytearray(b"x"), 1j)],
        "ordered": collections.OrderedDict(a=1),
        "default": collections.defaultdict(list, a=[1]),
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol_comes_back(tmp_path, protocol):
    path = tmp_path / "plain.pkl"
    path.write_bytes(pickle.dumps(_plain(), protocol=protocol))
    found, expected = load_pickle(path), _plain()
    assert found.pop("objects").tolist() == expected.pop("objects").tolist()
    assert found["default"].default_factory is list or found["default"].default_factory is None
    assert_identical(dict(found.pop("default")), dict(expected.pop("default")))
    assert_identical(found, expected)


def test_both_names_of_the_array_module_are_admitted(tmp_path):
    data = pickle.dumps(np.arange(3), protocol=2)
    for old, new in ((b"numpy._core", b"numpy.core"), (b"numpy.core.", b"numpy._core.")):
        path = tmp_path / "a.pkl"
        path.write_bytes(data.replace(old, new))
        np.testing.assert_array_equal(load_pickle(path), np.arange(3))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (_Runs(os.system, "touch ran"), "system"),
        (_Runs(subprocess.call, ["touch", "ran"]), "subprocess"),
        (_Runs(eval, "open('ran', 'w')"), "builtins.eval"),
        (_Runs(getattr, np, "load"), "getattr"),
        (_Runs(np.load, "x.npy", None, True), "numpy"),
        (collections.Counter("aab"), "Counter"),
        (collections.defaultdict(_plain), "_plain"),
        (np.load, "load"),
        (io.BytesIO(), "BytesIO"),
    ],
)
def test_a_pickle_that_asks_for_code_is_named_and_not_run(tmp_path, monkeypatch, value, name):
    monkeypatch.chdir(tmp_path)
    if isinstance(value, _Runs) and value.call[0] is getattr:
        value = _Runs(getattr, "text", "upper")
    path = write_pickle(tmp_path / "bad.pkl", value)
    with pytest.raises(ScenarioFormatError, match=name) as caught:
        load_pickle(path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_named_module_is_never_imported(tmp_path, monkeypatch):
    (tmp_path / "trap_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"\x80\x04\x8c\x0btrap_module\x8c\x05thing\x93.")
    with pytest.raises(ScenarioFormatError, match=r"trap_module\.thing"):
        load_pickle(path)
    assert "trap_module" not in sys.modules


def test_a_default_factory_must_be_builtin(tmp_path):
    path = write_pickle(tmp_path / "bad.pkl", collections.defaultdict(np.dtype))
    with pytest.raises(ScenarioFormatError, match="factory"):
        load_pickle(path)


def test_admitted_objects_cannot_be_changed_for_the_next_reader(tmp_path):
    # BUILD with slot state sets attributes on what a GLOBAL returned.
    attack = b"\x80\x02c_codecs\nencode\nN}X\x06\x00\x00\x00markedK\x01s\x86b."
    path = tmp_path / "bad.pkl"
    path.write_bytes(attack)
    assert load_pickle(path).marked == 1
    path.write_bytes(b"\x80\x02c_codecs\nencode\n.")
    assert not hasattr(load_pickle(path), "marked")


@pytest.mark.parametrize("value", [make_scene(), {"id": make_legacy()}], ids=["scene", "legacy"])
def test_truncation_at_any_offset_is_a_format_error(tmp_path, value):
    data = pickle.dumps(value, protocol=4)
    path = tmp_path / "cut.pkl"
    for stop in [*range(0, 60), *range(60, len(data), len(data) // 150), len(data) - 1]:
        path.write_bytes(data[:stop])
        with pytest.raises(ScenarioFormatError, match="complete pickle"):
            load_pickle(path)


def test_random_damage_never_escapes_as_another_error(tmp_path):
    data = pickle.dumps(_plain(), protocol=4)
    rng = np.random.default_rng(0)
    path = tmp_path / "damaged.pkl"
    for _ in range(400):
        damaged = bytearray(data)
        for spot in rng.integers(0, len(data), 3):
            damaged[spot] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            load_pickle(path)
        except ScenarioFormatError:
            continue


def test_missing_and_foreign_files_are_format_errors(tmp_path):
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        load_pickle(tmp_path / "none.pkl")
    path = tmp_path / "text.pkl"
    path.write_text("hello\n")
    with pytest.raises(ScenarioFormatError, match="not a readable pickle"):
        load_pickle(path)
