from pathlib import Path

import numpy as np
import pytest

from alg_factories import make_log, make_vocabulary
from algengine.datasets.decision_filters import keeps
from algengine.datasets.split_file import SplitFile, write_split
from algengine.errors import RecordingError
from algengine.post_training.recipe import DataConfig, select_decisions
from algengine.post_training.runs import read_run
from post_training_factories import write_run
from simengine.rewards.vocabulary import Vocabulary

pytestmark = pytest.mark.mm
PLANS = make_vocabulary(12)
KEY = Vocabulary(PLANS).key


def columns(score, nc=1.0, dac=1.0, ep=0.5):
    score = np.array(score, float)
    return {
        "score": score,
        "no_at_fault_collisions": np.full(len(score), nc),
        "drivable_area_compliance": np.full(len(score), dac),
        "ego_progress": np.full(len(score), ep),
    }


def test_filter_v1_by_hand():
    assert keeps("v1", 3, columns([0.95, 2 / 3]), 1)  # a bad choice where a good one was there
    assert not keeps("v1", 3, columns([0.95, 0.7]), 1)  # good enough
    assert keeps("v1", 3, columns([0.95, 0.7], ep=0.19), 1)  # clean but slow
    assert not keeps("v1", 3, columns([0.95, 0.7], nc=0.5, ep=0.19), 1)  # slow but not clean
    assert not keeps("v1", 3, columns([0.89, 0.0]), 1)  # nothing good to learn
    assert not keeps("v1", 3, columns([0.95, 0.0]), -1)  # nobody knows what was driven
    assert not keeps("v1", 3, columns([0.95, np.nan]), 0)


def test_filter_v2_takes_first_decisions():
    assert keeps("v2", 0, columns([0.1, 0.2]), -1)
    assert not keeps("v2", 1, columns([0.1, 0.2]), 0)
    assert keeps("none", 7, columns([0.1, 0.2]), -1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, str]:
    """Common logs, rare logs, and rollouts in which plan 11 (score 0) was driven; each of 4 decisions."""
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name, count, driven in (("common", 3, -1), ("rare", 2, -1), ("rollout", 2, 11)):
        logs = [make_log(f"{name}_{i}", 4.0 + i, decisions=4) for i in range(count)]
        made[name] = str(write_run(folder / name, PLANS, logs, driven))
    return made


def test_recipes_are_made_of_what_they_say(runs):
    base = {"common": [runs["common"]], "rare": [runs["rare"]]}
    masks = lambda **more: [d.fail_mask for d in select_decisions(DataConfig(**more), KEY)]  # noqa: E731
    assert masks(**base) == [1] * 8 + [0] * 8
    assert masks(**base, normal_only=True) == [0] * 8
    assert masks(**base, rollouts=[runs["rollout"]]) == [-1] * 8 + [1] * 8 + [0] * 16
    replay = {"common": [runs["common"]], "rollouts": [runs["rollout"]], "filter": "v2"}
    assert masks(**replay, include_real_failures=False) == [-1] * 2 + [0] * 2
    assert masks(**base, first_only=True) == [1] * 2 + [0] * 2


def test_normal_decisions_are_drawn_by_seed_without_replacement_while_enough(runs):
    def normals(**more):
        chosen = select_decisions(DataConfig(common=[runs["common"]], rare=[runs["rare"]], **more), KEY)
        return [(d.token, d.step) for d in chosen if d.fail_mask == 0]

    assert len(set(normals())) == 8
    assert normals() == normals()
    assert normals() != normals(seed=1)
    assert len(normals(normal_ratio=2.0)) == 16  # of 12, so some twice


def test_rare_cases_of_a_split_file(runs, tmp_path):
    split = tmp_path / "base_collision.yaml"
    write_split(split, SplitFile("base", {"log_names": []}, ()), ["rare_1", "elsewhere"])
    chosen = select_decisions(
        DataConfig(common=[runs["common"]], rare=[runs["rare"]], failures=[str(split)]), KEY
    )
    assert {d.token for d in chosen if d.fail_mask == 1} == {"rare_1"}


def test_a_split_without_tokens_is_no_failure_instead_of_all(runs, tmp_path):
    """`algengine rare-cases` writes such a split where its rule chooses nothing."""
    split = tmp_path / "base_ep_1pct.yaml"
    write_split(split, SplitFile("base", {"log_names": []}, ()), [])
    config = DataConfig(common=[runs["common"]], rare=[runs["rare"]], failures=[str(split)])
    with pytest.raises(RecordingError, match="selects no failure of .* among the 0 tokens of data.failures"):
        select_decisions(config, KEY)


def test_steps_without_a_known_score_and_without_a_decision_are_left_out(tmp_path):
    log = make_log("log", decisions=3)

    def score(_, step):
        return np.full(12, np.nan) if step == 1 else np.linspace(1, 0, 12)

    run = write_run(tmp_path / "run", PLANS, [log], 11, score)
    assert [d.step for d, _ in read_run(run, KEY)] == [0, 1, 2]
    chosen = select_decisions(DataConfig(rollouts=[str(run)], normal_ratio=0.0), KEY)
    assert [d.step for d in chosen] == [0, 2]


def test_what_is_missing_is_said(runs, tmp_path):
    with pytest.raises(RecordingError, match="no scenario with observations and rewards"):
        list(read_run(Path(tmp_path), KEY))
    with pytest.raises(RecordingError, match="record again with its own"):
        list(read_run(Path(runs["rare"]), "0" * 64))
    with pytest.raises(RecordingError, match="names no run with failures, expected some: give data.rare"):
        select_decisions(DataConfig(common=[runs["common"]]), KEY)
    (tmp_path / "other.yaml").write_text("tokens: [a, b]\n")
    with pytest.raises(
        RecordingError, match="selects no failure of .* among the 2 tokens of data.failures: give"
    ):
        select_decisions(DataConfig(rare=[runs["rare"]], failures=[str(tmp_path / "other.yaml")]), KEY)
    with pytest.raises(RecordingError, match="give runs over common"):
        select_decisions(DataConfig(rare=[runs["rare"]]), KEY)
