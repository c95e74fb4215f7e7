import json
import pickle
from dataclasses import replace

import pytest

from factories import make_scenario
from scenario_factories import assert_identical, random_scenario
from simengine.errors import ScenarioFormatError
from simengine.scenario.splits import load_index, open_split, safe_token, write_split


def test_a_split_lists_its_scenarios_in_order(tmp_path):
    scenarios = [random_scenario(seed) for seed in (4, 1, 9)]
    write_split(scenarios, tmp_path / "val")
    handles = open_split(tmp_path, "val")
    assert [handle.token for handle in handles] == [s.token for s in scenarios]
    for handle, scenario in zip(handles, scenarios, strict=True):
        assert_identical(handle.load(), scenario)


def test_the_index_says_what_the_files_hold(tmp_path):
    scenario = make_scenario()
    entry = write_split([scenario], tmp_path).entries[0]
    assert (entry.frames, entry.dt, entry.initial_frame, entry.map) == (66, 0.1, 15, "factory")
    index = load_index(tmp_path)
    assert index.entries == (entry,)
    index.verify()
    (tmp_path / entry.file).write_bytes(b"other")
    with pytest.raises(ScenarioFormatError, match="sha256"):
        index.verify()


def test_handles_are_small_and_picklable(tmp_path):
    write_split([make_scenario()], tmp_path / "a")
    data = pickle.dumps(open_split(tmp_path, "a")[0])
    assert len(data) < 500
    assert pickle.loads(data).load().token == "straight"


def test_an_unknown_split_names_the_known_ones(tmp_path):
    write_split([make_scenario()], tmp_path / "train")
    with pytest.raises(ScenarioFormatError, match="found: train"):
        open_split(tmp_path, "val")


def test_equal_tokens_are_refused(tmp_path):
    with pytest.raises(ScenarioFormatError, match="twice"):
        write_split([make_scenario(), make_scenario()], tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "simengine-split", "version": 7, "scenarios": []}', "{"]
)
def test_a_broken_index_is_a_format_error(tmp_path, text):
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(ScenarioFormatError, match=r"index\.json"):
        load_index(tmp_path)


def test_an_index_cannot_point_outside(tmp_path):
    write_split([make_scenario()], tmp_path)
    body = json.loads((tmp_path / "index.json").read_text())
    body["scenarios"][0]["file"] = "../other.npz"
    (tmp_path / "index.json").write_text(json.dumps(body))
    with pytest.raises(ScenarioFormatError, match="leaves the split"):
        load_index(tmp_path)


def test_a_handle_refuses_a_swapped_file(tmp_path):
    write_split([make_scenario(), replace(make_scenario(), token="b")], tmp_path)
    (tmp_path / "b.npz").replace(tmp_path / "straight.npz")
    with pytest.raises(ScenarioFormatError, match="expected 'straight'"):
        load_index(tmp_path).handles()[0].load()


def test_tokens_become_file_names():
    assert safe_token("a/b c:d") == "a_b_c_d"
    assert safe_token("../x") == "_x"
    assert safe_token("veh-35_1.pkl") == "veh-35_1.pkl"
