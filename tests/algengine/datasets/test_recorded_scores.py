from dataclasses import replace

import numpy as np
import pytest

from alg_factories import CAMERAS, make_log, make_vocabulary
from algengine.datasets.recorded_scores import RecordedScores
from algengine.datasets.recordings import RecordingDataset
from algengine.datasets.vocabulary import save_vocabulary
from algengine.errors import RecordingError
from algengine.heads.sub_score_heads import SUB_SCORES
from post_training_factories import write_run
from rewards_factories import make_plans, save_plans, write_scenarios
from simengine.cli.main import main
from simengine.datatypes.plan import Plan
from simengine.metrics.open_loop.score import score_plan
from simengine.pdm_closed.reference import pdm_closed_reference
from simengine.scenario.splits import load_index

pytestmark = pytest.mark.mm
LOGS = [make_log(f"log_{i}", 4.0 + i, decisions=12) for i in range(2)]
ALWAYS = {"probability": 1.0, "min_speed": 0.0}


def own_score(log: int, step: int) -> np.ndarray:
    """Scores (12,) that no other decision has."""
    return np.full(12, 0.1 + 0.4 * log + 0.03 * step) + 0.001 * np.arange(12)


def run_folder(root, score=own_score):
    """Write a run and its vocabulary; return the arguments of `RecordedScores`."""
    write_run(root, make_vocabulary(12), LOGS, score=score)
    save_vocabulary(make_vocabulary(12), root / "plans.npy")
    return {"root": str(root / "rewards"), "vocabulary": str(root / "plans.npy")}


def build(root, **options) -> RecordingDataset:
    fixed = {"part": "all", "image_size": (64, 36), "cameras": CAMERAS, "clip_length": 2, "min_future": 10}
    return RecordingDataset(str(root / "observations"), **fixed | options)


def test_each_frame_has_the_scores_of_its_decision(tmp_path):
    data = build(tmp_path, sub_scores=run_folder(tmp_path), clip_stride=3)
    assert len(data) > 4
    for item in data:
        sample = item["data_samples"]
        assert sample.gt_sub_scores.shape == (2, len(SUB_SCORES), 12)
        for q in range(2):
            expected = own_score(int(sample.token[-1]), sample.first_frame + q)
            progress = sample.gt_sub_scores[q, SUB_SCORES.index("ego_progress")]
            np.testing.assert_allclose(progress, expected, rtol=1e-6)


def test_unknown_decisions_stay_unknown(tmp_path):
    def score(log: int, step: int) -> np.ndarray:
        return own_score(log, step) * (np.nan if step == 1 else 1.0)

    item = build(tmp_path, sub_scores=run_folder(tmp_path, score), clip_stride=1)
    found = {s.first_frame: s.gt_sub_scores.isnan() for s in (one["data_samples"] for one in item)}
    assert found[0][1].all() and not found[0][0].any()
    assert found[1][0].all() and not found[1][1].any()


def test_displaced_clips_are_imitated_but_their_scores_are_unknown(tmp_path):
    scores = run_folder(tmp_path)
    moved, plain = build(tmp_path, sub_scores=scores, perturbation=ALWAYS), build(tmp_path, sub_scores=scores)
    for i in range(len(moved)):
        a, b = moved[i]["data_samples"], plain[i]["data_samples"]
        assert a.gt_sub_scores.isnan().all() and a.gt_sub_scores.shape == b.gt_sub_scores.shape
        assert not b.gt_sub_scores.isnan().any()
        assert a.gt_valid.equal(b.gt_valid) and not a.gt_trajectory.equal(b.gt_trajectory)


def test_without_scores_samples_have_none(tmp_path):
    run_folder(tmp_path)
    assert "gt_sub_scores" not in build(tmp_path)[0]["data_samples"]


def test_what_is_missing_is_one_sentence(tmp_path):
    scores = run_folder(tmp_path)
    (tmp_path / "rewards" / "log_1.npz").unlink()
    with pytest.raises(RecordingError, match=r"log_1 has no scores of plans .*rewards.vocabulary=") as caught:
        build(tmp_path, sub_scores=scores)
    assert "\n" not in str(caught.value)
    with pytest.raises(RecordingError, match=r"no scores of plans in .*nowhere.*rewards.vocabulary="):
        build(tmp_path, sub_scores=scores | {"root": str(tmp_path / "nowhere")})
    save_vocabulary(make_vocabulary(12)[::-1], tmp_path / "other.npy")
    with pytest.raises(
        RecordingError, match=r"log_0.npz scores the plans \w+, the vocabulary .*other.npy has"
    ):
        build(tmp_path, sub_scores=scores | {"vocabulary": str(tmp_path / "other.npy")})


def test_scores_of_a_shorter_drive_are_refused(tmp_path):
    scores = run_folder(tmp_path)
    make_log("log_0", 4.0, decisions=14).save(tmp_path / "observations" / "log_0.npz")
    with pytest.raises(RecordingError, match="scores of 12 decisions, the recording log_0 has 14"):
        build(tmp_path, sub_scores=scores)


def test_scores_of_a_run_are_those_of_the_scorer(tmp_path):
    """Decisions 0 and 3 of a run, plan by plan, against the open-loop scorer started at their frames."""
    split, plans = write_scenarios(tmp_path / "split", 1), save_plans(tmp_path / "plans.npy")
    words = ["run", "--config-name", "record", f"split={split}", f"output_dir={tmp_path / 'run'}"]
    assert main([*words, "record.cameras=none", f"rewards.vocabulary={plans}"]) == 0
    log = make_log("token_0", decisions=8)
    found = RecordedScores(tmp_path / "run" / "rewards", plans).load(log)
    assert found.shape == (8, len(SUB_SCORES), len(make_plans()))
    scenario = load_index(split).handles()[0].load()
    for decision in (0, 3):
        start = replace(scenario, initial_frame=scenario.initial_frame + 5 * decision)
        for k, plan in enumerate(make_plans().astype(np.float32).astype(np.float64)):
            row = score_plan(start, Plan(plan, 0.1), "navsim_v1", pdm_closed_reference).row
            expected = [getattr(row, name) for name in SUB_SCORES]
            np.testing.assert_allclose(found[decision, :, k], expected, atol=1e-5)
    assert not np.array_equal(found[0], found[3])
