"""Scores of a vocabulary: what they may depend on, what they say where something is unknown, modes."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, shared_data
from rewards_factories import busy_scenario, make_plans, make_vocabulary
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.map import VectorMap
from simengine.errors import ConfigError
from simengine.metrics.pdm.from_scenario import scene_of
from simengine.metrics.pdm.scorer import score_batch
from simengine.rewards.columns import COLUMNS
from simengine.rewards.logged import logged_moment
from simengine.rewards.modes import DT, REWARD_MODES
from simengine.rewards.place import place_of
from simengine.rewards.reference import progress_reference
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.tracking import EntryTracking
from simengine.rewards.vocabulary import Vocabulary, load_vocabulary


def score(scenario, mode="navsim_v1", vocabulary=None, threads=1):
    scorer = VocabularyScorer(vocabulary or make_vocabulary(), mode, threads)
    return scorer.score(place_of(scenario), logged_moment(scenario, scorer.rules))


@pytest.mark.parametrize("mode", REWARD_MODES)
def test_each_entry_is_scored_as_if_it_were_alone(mode):
    """The slow twin: one official batch of two for each entry."""
    scenario, vocabulary = busy_scenario(), make_vocabulary()
    scorer = VocabularyScorer(vocabulary, mode)
    place, moment = place_of(scenario), logged_moment(scenario, scorer.rules)
    reference = progress_reference(place, moment, scorer.rules)
    states = EntryTracking(vocabulary, scenario.vehicle, scorer.rules.tracker).states(
        moment.ego, moment.time_us
    )
    scene = scene_of(scenario, moment.tracks, moment.ego, reference, DT, scorer.rules.scoring)
    together = scorer.score(place, moment)
    for k in range(vocabulary.size):
        pair = score_batch(np.stack([reference.states, states[k]]), scene)
        for name in COLUMNS:
            if name != "lane_keeping":
                assert together.columns[name][k] == getattr(pair, name)[1], (name, k)
    assert together.reference_progress == pair.raw_progress[0]
    assert 0.0 < together.score.mean() < 1.0


@pytest.mark.parametrize("mode", REWARD_MODES)
def test_order_of_entries_and_number_of_threads_do_not_matter(mode):
    plans = np.tile(make_plans(), (60, 1, 1))  # enough rows for several threads
    plans[:, :, 0] += np.linspace(0.0, 0.5, len(plans))[:, None]
    order = np.random.default_rng(3).permutation(len(plans))
    scenario = busy_scenario()
    straight = score(scenario, mode, Vocabulary(plans), threads=1)
    shuffled = score(scenario, mode, Vocabulary(plans[order]), threads=2)
    for name in COLUMNS:
        np.testing.assert_array_equal(straight.columns[name][order], shuffled.columns[name], err_msg=name)


def test_scores_say_what_they_should():
    scenario = busy_scenario(lead_speed=0.0)
    vocabulary = Vocabulary(make_plans((0.0, 0.5, 8.0), (0.0,)))
    scores = score(scenario, vocabulary=vocabulary)
    stand, crawl, ram = range(3)
    # The standing car is 13.6 m from the front bumper: 32 m go on at 8 m/s, about 10 m when braking to 0.5 m/s.
    assert scores.no_at_fault_collisions[[crawl, ram]].tolist() == [1.0, 0.0]
    assert scores.score[ram] == 0.0
    assert scores.ego_progress[stand] <= scores.ego_progress[crawl]
    assert scores.drivable_area_compliance.tolist() == [1.0, 1.0, 1.0]
    assert scores.lane_keeping.tolist() == [1.0, 1.0, 1.0]
    assert (scores.token, scores.step, scores.mode) == ("busy", 0, "navsim_v1")


def test_two_seconds_beside_the_line_are_no_lane_keeping():
    # To the left at 1 m/s: half a metre off the line from 0.5 s on, or 0.35 m off for good.
    times = 0.1 * np.arange(1, 41)
    plans = np.zeros((2, 40, 3))
    plans[:, :, 0] = 8.0 * times
    plans[0, :, 1] = np.minimum(times, 1.2)
    plans[1, :, 1] = np.minimum(times, 0.35)
    assert score(make_scenario(116), vocabulary=Vocabulary(plans)).lane_keeping.tolist() == [0.0, 1.0]


def test_without_a_map_what_needs_one_is_unknown():
    scenario = replace(busy_scenario(), map=VectorMap(), route=())
    scores = score(scenario)
    assert scores.reference == "pdm_closed_on_logged_path"
    assert np.isnan(scores.drivable_area_compliance).all()
    assert np.isnan(scores.score).all()
    assert not np.isnan(scores.ego_progress).any()
    assert scores.unknown["drivable_area_compliance"] == "the scenario has no map"
    assert scores.unknown["score"] == "not known without drivable_area_compliance"


def test_unknown_direction_and_lane_keeping_do_not_hide_the_score():
    scores = score(replace(busy_scenario(), route=("nowhere",)))
    assert set(scores.unknown) == {"driving_direction_compliance", "lane_keeping"}
    assert not np.isnan(scores.score).any()


def test_a_standing_log_without_route_is_its_own_reference():
    scenario = busy_scenario()
    still = EgoTrack(np.zeros_like(scenario.ego.pose), 0 * scenario.ego.velocity, scenario.ego.acceleration)
    scores = score(replace(scenario, ego=still, route=()))
    assert (scores.reference, scores.reference_progress) == ("logged_ego", 0.0)
    assert not np.isnan(scores.score).any()


@pytest.mark.parametrize("mode", REWARD_MODES)
def test_a_log_that_ends_early_is_unknown_with_a_reason(mode):
    wanted = {"worldengine_v1": 4.0}.get(mode, 4.9)
    enough = 16 + round(wanted / 0.1)
    assert not score(busy_scenario(frames=enough), mode).unknown
    scores = score(busy_scenario(frames=enough - 5), mode)
    assert np.isnan(np.stack(list(scores.columns.values()))).all()
    assert (
        scores.unknown["score"] == f"the log ends {wanted - 0.5:.1f} s later, the score needs {wanted:.1f} s"
    )


def test_unknown_mode():
    with pytest.raises(ConfigError, match="expected one of navsim_v1, corrected, worldengine_v1"):
        VocabularyScorer(make_vocabulary(), "epdms")


def test_published_modes_differ_where_they_should():
    scenario = busy_scenario(lead_speed=0.0)
    plain, corrected, published = (score(scenario, mode) for mode in REWARD_MODES)
    assert not np.array_equal(plain.comfort, corrected.comfort)
    assert not np.array_equal(plain.ego_progress, published.ego_progress)


def test_a_slower_log_gives_nearly_the_same_scores():
    from simengine.scenario.resample import resample

    dense = busy_scenario()
    fast, slow = score(dense), score(resample(dense, 0.5))
    np.testing.assert_allclose(fast.score, slow.score, atol=1e-6)


def test_the_published_vocabulary_in_one_scene():
    vocabulary = load_vocabulary(shared_data("data", "simscale", "trajectory_vocabulary_8192.npy"))
    scores = score(busy_scenario(), vocabulary=vocabulary, threads=None)
    assert scores.size == 8192
    assert 0.0 < scores.score.mean() < scores.score.max() <= 1.0
    assert set(np.unique(scores.no_at_fault_collisions)) <= {0.0, 0.5, 1.0}
