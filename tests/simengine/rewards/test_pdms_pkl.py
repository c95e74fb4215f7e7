"""The original's reward files: schema, round trips, labels, and files that are not to be trusted."""

import csv
import pickle

import numpy as np
import pytest

from rewards_factories import busy_scenario, make_vocabulary
from simengine.errors import ScenarioFormatError
from simengine.rewards.columns import COLUMNS
from simengine.rewards.imitation import Imitation
from simengine.rewards.logged import logged_moment
from simengine.rewards.modes import REWARD_MODES
from simengine.rewards.pdms_pkl import (
    index_folder,
    pdms_pkl_name,
    read_pdms_pkl,
    scenario_id,
    write_pdms_index,
    write_pdms_pkl,
)
from simengine.rewards.place import place_of
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.scores import unknown_scores

TARGET = Imitation(5, np.arange(16.0).reshape(8, 2))


@pytest.fixture(scope="module", params=REWARD_MODES)
def scores(request):
    scenario = busy_scenario()
    scorer = VocabularyScorer(make_vocabulary(), request.param)
    return scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))


def test_schema_and_round_trip(scores, tmp_path):
    path = write_pdms_pkl(tmp_path, "log-veh-busy", scores, TARGET)
    assert path.name == "log-veh-busy_step_3_scores.pkl"
    record = pickle.loads(path.read_bytes())
    assert set(record) == {*COLUMNS, "IL_plan_idx", "target_traj"}
    size = make_vocabulary().size
    published = scores.mode == "worldengine_v1"
    for name in COLUMNS:
        flag = name == "drivable_area_compliance" or (published and name == "no_at_fault_collisions")
        assert record[name].dtype == (bool if flag else np.float64), name
        assert record[name].shape == (size,)
    assert isinstance(record["IL_plan_idx"], np.integer)
    assert record["IL_plan_idx"] == 5
    assert record["target_traj"].dtype == np.float64
    back, imitation = read_pdms_pkl(path, size, scores.mode)
    assert (back.token, back.step, back.mode) == ("log-veh-busy", 0, scores.mode)
    for name in COLUMNS:
        expected = scores.columns[name]
        if published and name == "no_at_fault_collisions":
            expected = expected > 0.0
        np.testing.assert_array_equal(back.columns[name], expected)
    assert imitation.index == 5
    np.testing.assert_array_equal(imitation.target, TARGET.target)


def test_half_a_collision_is_lost_in_published_labels_only(tmp_path):
    scenario = busy_scenario()
    found = {}
    for mode in REWARD_MODES:
        scorer = VocabularyScorer(make_vocabulary(), mode)
        scores = scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))
        hit = scores.no_at_fault_collisions == 0.5  # the cone beside the road
        assert hit.any()
        back, _ = read_pdms_pkl(write_pdms_pkl(tmp_path / mode, "a-b", scores, TARGET))
        found[mode] = set(back.no_at_fault_collisions[hit])
        np.testing.assert_array_equal(back.score, scores.score)
    assert found == {"navsim_v1": {0.5}, "corrected": {0.5}, "worldengine_v1": {1.0}}


def test_names_no_internals_that_older_numpy_lacks(scores, tmp_path):
    path = write_pdms_pkl(tmp_path, "a-b", scores, TARGET)
    assert b"numpy._core" not in path.read_bytes()
    assert b"numpy.core.multiarray" in path.read_bytes()


def test_unknown_scores_leave_no_file(tmp_path):
    assert write_pdms_pkl(tmp_path, "a-b", unknown_scores("b", 2, "navsim_v1", 3, "no log"), TARGET) is None
    assert not list(tmp_path.iterdir())


def test_the_reference_in_front_is_dropped(scores, tmp_path):
    path = write_pdms_pkl(tmp_path, "a-b", scores, TARGET)
    record = pickle.loads(path.read_bytes())
    longer = {k: np.concatenate([v[:1], v]) if k in COLUMNS else v for k, v in record.items()}
    path.write_bytes(pickle.dumps(longer))
    back, _ = read_pdms_pkl(path, scores.size)
    np.testing.assert_array_equal(back.score, scores.score)
    assert read_pdms_pkl(path)[0].size == scores.size + 1


class Hostile:
    def __reduce__(self):
        import os

        return os.system, ("touch /nowhere/at/all",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"score": Hostile()}, "asks for .*system.*it was not run"),
        ([1, 2, 3], "no reward file"),
        ({"score": np.zeros(3)}, "no reward file .without .*comfort"),
        ({name: np.zeros((3, 2)) for name in COLUMNS}, "no array of numbers"),
        ({name: np.zeros(3, "U1") for name in COLUMNS}, "no array of numbers"),
        ({name: [0.0, 1.0] for name in COLUMNS}, "no array of numbers"),
        ({name: np.zeros(3 + (name == "comfort")) for name in COLUMNS}, "different lengths"),
        ({name: np.zeros(3) for name in COLUMNS} | {"target_traj": "abc"}, "target_traj is malformed"),
    ],
)
def test_files_that_are_something_else(content, words, tmp_path):
    path = tmp_path / "a-b_step_3_scores.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(ScenarioFormatError, match=words):
        read_pdms_pkl(path)


def test_wrong_size_and_wrong_name(scores, tmp_path):
    path = write_pdms_pkl(tmp_path, "a-b", scores, TARGET)
    with pytest.raises(ScenarioFormatError, match=r"has 12 values, expected 8192"):
        read_pdms_pkl(path, 8192)
    path = path.rename(tmp_path / "scores.pkl")
    with pytest.raises(ScenarioFormatError, match="the name has no step"):
        read_pdms_pkl(path)


def test_index_lists_files_sorted_by_token_and_step(tmp_path):
    folder = tmp_path / "pdms_pkl"
    folder.mkdir()
    for name, step in (("b-2", 0), ("a-1", 7), ("a-1", 0)):
        (folder / pdms_pkl_name(name, step)).touch()
    path = tmp_path / "all_scenes_pdm_pkl_paths_R.csv"
    write_pdms_index(path, index_folder(folder, tmp_path))
    with path.open() as file:
        header, *rows = csv.reader(file)
    assert header == ["token", "step", "pkl_path"]
    assert [row[:2] for row in rows] == [["a-1", "3"], ["a-1", "10"], ["b-2", "3"]]
    assert all((tmp_path / row[2]).is_file() for row in rows)


def test_ids_are_those_of_the_original():
    scenario = busy_scenario()
    assert scenario_id(scenario) == "log-1-busy"
    scenario.tags["legacy_id"] = "2021.05.12_veh-35_1_2-bb4f-001"
    assert scenario_id(scenario) == "2021.05.12_veh-35_1_2-bb4f-001"
