"""Episodes scored with PDM-Closed as the measure of progress, and what happens where it cannot plan."""

from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario
from metrics_factories import make_record, straight_states
from simengine.datatypes.map import VectorMap
from simengine.metrics.episode import score_record
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.pdm_closed.episode import episode_reference, scenario_reference, score_episode
from simengine.pdm_closed.reference import SOURCE, pdm_closed_reference


def test_progress_is_measured_by_what_pdm_closed_drives() -> None:
    # The log does 8 m/s where 15 m/s are allowed: PDM-Closed gets farther, so that the log is no longer full progress.
    scenario = make_scenario()
    record = make_record(scenario)
    reference = pdm_closed_reference(scenario)
    metres = reference.states[-1, 0] - reference.states[0, 0]
    assert metres > 33.0
    assert score_record(record, scenario).ego_progress == 1.0
    score = score_episode(record, scenario)
    assert score.ego_progress == pytest.approx(32.0 / metres, abs=0.02)
    assert score.reasons == {}


def test_the_published_score_keeps_the_logged_ego() -> None:
    scenario = make_scenario()
    record = make_record(scenario, straight_states(4.0))
    assert episode_reference(record, scenario, "worldengine_v1") == (None, {})
    # The line ends at the last rear axle of the log, whose centre, 1.461 m ahead, is cut off there.
    expected = 16.0 / (32.0 - 1.461)
    assert score_episode(record, scenario, "worldengine_v1").ego_progress == pytest.approx(expected)


def test_without_a_route_the_logged_ego_is_the_measure_and_a_note_says_so() -> None:
    scenario = make_scenario(map=VectorMap(), route=())
    score = score_episode(make_record(scenario, straight_states(4.0)), scenario)
    assert score.ego_progress == pytest.approx(0.5)
    assert "measured against the logged ego" in score.reasons["ego_progress"]


def test_other_rates_and_longer_episodes_fall_back() -> None:
    scenario = make_scenario(frames=16, dt=0.5)
    slow = replace(make_record(make_scenario(), straight_states()), dt=0.5)
    reference, note = episode_reference(slow, scenario, "navsim_v1")
    assert reference is None
    assert "0.5 s apart" in note["ego_progress"]
    long = make_record(make_scenario(frames=90), np.concatenate([straight_states()] * 2))
    reference, note = episode_reference(long, make_scenario(frames=90), "navsim_v1")
    assert reference is None
    assert "82" in note["ego_progress"]


def test_the_reference_says_who_it_is() -> None:
    scenario = make_scenario()
    reference, note = episode_reference(make_record(scenario), scenario, "corrected")
    assert reference is not None
    assert (reference.source, note) == (SOURCE, {})


@pytest.mark.parametrize("mode", ["navsim_v1", "corrected", "worldengine_v1"])
def test_what_is_known_of_a_scenario_need_not_be_found_again(mode: str) -> None:
    scenario = make_scenario()
    yardstick = scenario_reference(scenario, mode, 0.1, 41)
    drivable = drivable_map(scenario.map, np.array([12.0 + 1.461, 0.0]), 100.0)
    for y in (0.0, -2.0, -4.0):
        record = make_record(scenario, straight_states(6.0, y=y))
        known = score_episode(record, scenario, mode, yardstick, drivable)
        assert repr(known) == repr(score_episode(record, scenario, mode))  # NaN is not equal to itself
