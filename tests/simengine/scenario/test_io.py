import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factories import make_scenario
from scenario_factories import assert_identical, random_scenario
from simengine.errors import ScenarioFormatError
from simengine.files.arrays import HEADER, encode_header
from simengine.scenario.io import load_scenario, save_scenario


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), compress=st.booleans())
def test_a_scenario_comes_back_bit_for_bit(tmp_path_factory, seed, compress):
    scenario = random_scenario(seed)
    path = save_scenario(scenario, tmp_path_factory.mktemp("io") / "s.npz", compress)
    assert_identical(load_scenario(path), scenario)


def test_arrays_keep_their_dtype(tmp_path):
    scenario = make_scenario()
    ego = replace(scenario.ego, pose=scenario.ego.pose.astype(np.float32))
    loaded = load_scenario(save_scenario(replace(scenario, ego=ego), tmp_path / "s.npz"))
    assert loaded.ego.pose.dtype == np.float32


def test_scenarios_of_one_place_share_a_map_file(tmp_path):
    first = make_scenario(token="a")
    save_scenario(first, tmp_path / "a.npz")
    save_scenario(replace(first, token="b"), tmp_path / "b.npz")
    assert len(list((tmp_path / "maps").iterdir())) == 1
    save_scenario(random_scenario(3), tmp_path / "c.npz")
    assert len(list((tmp_path / "maps").iterdir())) == 2


def test_writing_twice_gives_the_same_bytes(tmp_path):
    scenario = random_scenario(5)
    a = save_scenario(scenario, tmp_path / "a.npz").read_bytes()
    assert save_scenario(scenario, tmp_path / "b.npz").read_bytes() == a


def test_no_temporary_file_stays(tmp_path):
    save_scenario(make_scenario(), tmp_path / "s.npz")
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def test_a_tag_that_is_no_json_value_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ScenarioFormatError, match="JSON"):
        save_scenario(make_scenario(tags={"a": np.zeros(2)}), tmp_path / "s.npz")
    assert not (tmp_path / "s.npz").exists()


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_files_are_one_clear_sentence(tmp_path, part):
    path = save_scenario(random_scenario(1), tmp_path / "s.npz")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ScenarioFormatError, match=r"s\.npz.*expected"):
        load_scenario(path)


def test_flipped_bytes_are_detected(tmp_path):
    path = save_scenario(make_scenario(), tmp_path / "s.npz", compress=False)
    data = bytearray(path.read_bytes())
    spot = data.find(np.float64(8.0).tobytes())
    data[spot] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ScenarioFormatError, match="CRC"):
        load_scenario(path)


def _rewrite(path, change):
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(arrays.pop(HEADER).tobytes())
    change(header, arrays)
    np.savez(path, **{HEADER: encode_header(header)}, **arrays)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda header, arrays: header.update(version=99), "version 99"),
        (lambda header, arrays: header.update(format="other"), "'other'"),
        (lambda header, arrays: header.pop("route"), "route"),
        (lambda header, arrays: arrays.pop("ego.pose"), "ego.pose"),
        (
            lambda header, arrays: arrays["ego.pose"].__setitem__((3, 0), np.nan),
            r"ego\.pose is not finite at index \(3",
        ),
        (lambda header, arrays: header.update(initial_frame=1000), "initial_frame is 1000"),
        (lambda header, arrays: header.update(map="0" * 32), "maps"),
        (lambda header, arrays: header["vehicle"].update(wheels=4), "wheels"),
    ],
)
def test_every_defect_names_the_file_and_the_field(tmp_path, change, text):
    path = save_scenario(make_scenario(), tmp_path / "s.npz")
    _rewrite(path, change)
    with pytest.raises(ScenarioFormatError, match=text) as caught:
        load_scenario(path)
    assert str(tmp_path) in str(caught.value)


def test_an_object_array_is_never_unpickled(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, header=np.array([{"a": 1}], object))
    with pytest.raises(ScenarioFormatError, match="allow_pickle"):
        load_scenario(path)


def test_a_missing_file_is_a_format_error(tmp_path):
    with pytest.raises(ScenarioFormatError, match="check the path"):
        load_scenario(tmp_path / "none.npz")


def test_a_renamed_map_file_is_refused(tmp_path):
    a = save_scenario(make_scenario(), tmp_path / "a.npz")
    save_scenario(random_scenario(3), tmp_path / "b" / "b.npz")
    wanted = next((tmp_path / "maps").iterdir())
    next((tmp_path / "b" / "maps").iterdir()).replace(wanted)
    with pytest.raises(ScenarioFormatError, match="renamed"):
        load_scenario(a)
