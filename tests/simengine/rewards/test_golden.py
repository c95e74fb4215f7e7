"""The official evaluation of single trajectories, reproduced for a whole vocabulary at once."""

import numpy as np
import pytest

from factories import shared_data
from pdm_golden import FOLDER, load_golden
from rewards_factories import golden_scenario
from simengine.metrics.pdm.aggregate import pdm_score
from simengine.metrics.pdm.parameters import NAVSIM_V1
from simengine.metrics.pdm.scorer import score_batch
from simengine.rewards.logged import logged_moment
from simengine.rewards.pairing import paired_progress
from simengine.rewards.place import place_of
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.vocabulary import Vocabulary

SCENES = sorted(FOLDER.glob("scene_[0-9][0-9][0-9].npz"))
# Columns of the official result.
NC, DAC, EP, TTC, COMFORT, DDC, SCORE = range(7)


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_vectorised_pairs_are_the_official_pairs(path):
    golden = load_golden(path)
    batch = score_batch(golden.states, golden.scene)
    multiplier = batch.no_at_fault_collisions * batch.drivable_area_compliance
    progress = paired_progress(batch.raw_progress, multiplier, NAVSIM_V1)
    score = pdm_score(
        multiplier[1:],
        progress=progress,
        ttc=batch.time_to_collision_within_bound[1:],
        comfort=batch.comfort[1:],
        direction=batch.driving_direction_compliance[1:],
        parameters=NAVSIM_V1,
    )
    official = golden.data["out_pair"]
    np.testing.assert_allclose(progress, official[:, EP], rtol=0, atol=1e-6)
    np.testing.assert_allclose(score, official[:, SCORE], rtol=0, atol=1e-6)
    # It matters: the best of the whole batch would be another yardstick.
    assert np.abs(batch.ego_progress[1:] - official[:, EP]).max() > 1e-3


@pytest.mark.parametrize("path", SCENES, ids=lambda path: path.stem)
def test_from_plans_to_official_scores(path):
    compare_with_official(path)


def test_all_reference_scenes():
    folder = shared_data("golden", "pdm")
    for path in sorted(folder.glob("scene_[0-9][0-9][0-9].npz")):
        compare_with_official(path)


def compare_with_official(path):
    """Everything is ours: reference planner, sampling, tracker, observation, map, scorer, pairs."""
    data = load_golden(path).data
    scenario = golden_scenario(data)
    scorer = VocabularyScorer(Vocabulary(data["proposal_poses"], dt=0.5))
    scores = scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))
    assert scores.reference == "pdm_closed"
    assert not scores.unknown
    assert scores.reference_progress == pytest.approx(data["out_progress_raw"][0], abs=1e-5)
    official, stable = data["out_pair"], data["stable"][1:].all(axis=1) & data["stable"][0].all()
    assert not data["stable"][0].all() or stable.sum() > 40
    names = (
        "no_at_fault_collisions",
        "drivable_area_compliance",
        "time_to_collision_within_bound",
        "comfort",
    )
    for name, column in zip(
        (*names, "driving_direction_compliance"), (NC, DAC, TTC, COMFORT, DDC), strict=True
    ):
        np.testing.assert_array_equal(scores.columns[name][stable], official[stable, column], err_msg=name)
    np.testing.assert_allclose(scores.ego_progress[stable], official[stable, EP], rtol=0, atol=1e-6)
    np.testing.assert_allclose(scores.score[stable], official[stable, SCORE], rtol=0, atol=1e-6)
