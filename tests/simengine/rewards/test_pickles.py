"""Pickled dictionaries piece by piece: the same as in one go, as strict, and never all in memory."""

import pickle
import tracemalloc

import numpy as np
import pytest

from simengine.errors import ScenarioFormatError
from simengine.files.plain_pickle import plain_pickle, write_pickled_dict
from simengine.rewards.pickle_stream import stream_pickled_dict
from simengine.scenario.restricted_pickle import load_pickle


def table(count=5, size=40):
    rng = np.random.default_rng(1)
    names = ("score", "comfort")
    return {f"token_{i}": {name: rng.random(size, np.float32) for name in names} for i in range(count)}


def read(path):
    found = {}
    stream_pickled_dict(path, found.__setitem__)
    return found


def assert_same(found, expected):
    assert list(found) == list(expected)
    for token, record in expected.items():
        assert list(found[token]) == list(record)
        for name, values in record.items():
            assert type(found[token][name]) is np.ndarray
            np.testing.assert_array_equal(found[token][name], values)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_gives_what_one_go_gives(protocol, tmp_path):
    path, expected = tmp_path / "t.pkl", table(count=2500 if protocol == 4 else 5)
    path.write_bytes(pickle.dumps(expected, protocol))
    assert_same(read(path), expected)
    assert_same(load_pickle(path), expected)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_written_piece_by_piece_it_is_an_ordinary_pickle(count, tmp_path):
    path, expected = tmp_path / "t.pkl", table(count)
    assert write_pickled_dict(path, expected.items()) == count
    assert_same(pickle.loads(path.read_bytes()), expected)
    assert_same(read(path), expected)
    assert_same(load_pickle(path), expected)


def test_numpy_numbers_and_texts():
    value = {"a": np.int64(3), "b": np.float32(0.5), "c": "text", "d": np.arange(3), "e": [True, None]}
    back = pickle.loads(plain_pickle(value))
    assert (back["a"], back["b"], back["c"], back["e"]) == (3, 0.5, "text", [True, None])
    assert b"numpy._core" not in plain_pickle(value)


def test_memory_does_not_grow_with_the_file(tmp_path):
    path, expected = tmp_path / "t.pkl", table(4000, 1000)  # 32 MB
    path.write_bytes(pickle.dumps(expected))
    del expected
    sizes = []
    tracemalloc.start()
    stream_pickled_dict(path, lambda key, value: sizes.append(len(value["score"])))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sizes) == 4000
    # Python's pickler sets a thousand items at a time, 8 MB here, which exist twice while one batch replaces another.
    assert peak < 24e6


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    def items():
        yield "a", np.zeros(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pickled_dict(tmp_path / "t.pkl", items())
    assert not list(tmp_path.iterdir())


class Hostile:
    def __reduce__(self):
        return eval, ("1",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": Hostile()}, "asks for .*eval.* it was not run"),
        ({"a": {"b": [Hostile()]}}, "asks for .*eval"),
        ({Hostile(): 1}, "asks for .*eval"),
        ([1, 2], "not one dictionary"),
        (np.zeros(3), "not one dictionary"),
        ({"a": np.array([Hostile()], dtype=object)}, "asks for .*eval"),
    ],
)
def test_what_is_no_data_is_refused(content, words, tmp_path):
    path = tmp_path / "t.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ScenarioFormatError, match=words):
        read(path)


def test_truncations_and_garbage(tmp_path):
    path = tmp_path / "t.pkl"
    whole = pickle.dumps(table(2, 8))
    for content in (whole[:0], whole[: len(whole) // 2], whole[:-1], b"garbage", b"\x80\x04K\x01K\x02s."):
        path.write_bytes(content)
        with pytest.raises(ScenarioFormatError, match="not a readable pickle"):
            read(path)
    with pytest.raises(ScenarioFormatError, match="cannot be read"):
        read(tmp_path / "nowhere.pkl")
