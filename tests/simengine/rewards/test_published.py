"""The published view of a log: hold rule, point-like late comers, an observation of the future, a bare ego."""

from dataclasses import replace

import numpy as np
import pytest

from rewards_factories import busy_scenario, make_plans
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.geometry.angles import wrap
from simengine.rewards.logged import logged_moment
from simengine.rewards.place import place_of
from simengine.rewards.published import PublishedLog, hold_between, published_ego
from simengine.rewards.scorer import VocabularyScorer
from simengine.rewards.vocabulary import Vocabulary


def hold_one_by_one(pose, velocity, valid):
    """The same, track by track and frame by frame."""
    tracks, frames = valid.shape
    dense = 5 * (frames - 1) + 1
    poses, speeds, there = (
        np.zeros((tracks, dense, 3)),
        np.zeros((tracks, dense, 2)),
        np.zeros((tracks, dense), bool),
    )
    for a in range(tracks):
        for i in range(dense):
            before, part = divmod(i, 5)
            if not valid[a, before]:
                continue
            there[a, i] = True
            poses[a, i], speeds[a, i] = pose[a, before], velocity[a, before]
            if part and valid[a, before + 1]:
                share = part / 5
                turn = wrap(pose[a, before + 1, 2] - pose[a, before, 2])
                poses[a, i, :2] += share * (pose[a, before + 1, :2] - pose[a, before, :2])
                poses[a, i, 2] += share * turn
                speeds[a, i] += share * (velocity[a, before + 1] - velocity[a, before])
            poses[a, i, 2] = wrap(poses[a, i, 2])
    return poses, speeds, there


def test_hold_rule_against_the_loop():
    rng = np.random.default_rng(5)
    pose, velocity = rng.uniform(-3, 3, (12, 9, 3)), rng.normal(size=(12, 9, 2))
    valid = rng.random((12, 9)) < 0.7
    for ours, slow in zip(
        hold_between(pose, velocity, valid), hold_one_by_one(pose, velocity, valid), strict=True
    ):
        np.testing.assert_allclose(ours, slow, atol=1e-12)


def test_a_missing_track_is_held_and_a_new_one_waits_for_its_frame():
    pose = np.zeros((1, 3, 3))
    pose[0, :, 0] = (1.0, 0.0, 9.0)
    valid = np.array([[True, False, True]])
    dense, _, there = hold_between(pose, np.zeros((1, 3, 2)), valid)
    assert there[0].tolist() == [True] * 5 + [False] * 5 + [True]
    assert dense[0, :5, 0].tolist() == [1.0] * 5
    assert dense[0, 10, 0] == 9.0


def test_the_short_way_round():
    pose = np.zeros((1, 2, 3))
    pose[0, :, 2] = (3.1, -3.1)
    dense, _, _ = hold_between(pose, np.zeros((1, 2, 2)), np.ones((1, 2), bool))
    assert np.abs(np.abs(dense[0, :, 2]) - np.pi).max() < 0.05


def test_late_comers_have_no_size():
    scenario = busy_scenario()
    valid = scenario.agents.valid.copy()
    valid[0, :20] = False
    late = replace(scenario, agents=replace(scenario.agents, valid=valid))
    moment = PublishedLog(late).moment(1, late.ego.state(20))
    assert moment.tracks.size[0].tolist() == [0.0, 0.0, 0.0]
    assert moment.tracks.size[1].tolist() == [0.5, 0.5, 0.8]


def test_the_reference_planner_sees_the_future_and_the_logged_ego():
    scenario = busy_scenario(lead_speed=4.0)
    first, later = (PublishedLog(scenario).moment(step, scenario.ego.state(15)) for step in (0, 5))
    for moment in (first, later):
        assert moment.seen.ids == ("agent_0", "agent_1", "ego")
        # Frame 19 of the episode is 9.5 s after the start of the log: the lead started at 32 m with 4 m/s, the rear
        # axle of the ego at 0 m with 8 m/s.
        assert moment.seen.pose[0, 0] == pytest.approx(32.0 + 4.0 * 9.5)
        assert moment.seen.pose[2, 0] == pytest.approx(8.0 * 9.5 + scenario.vehicle.rear_axle_to_center)
    assert later.time_us - first.time_us == 2_500_000
    assert later.tracks.pose[0, 0, 0] == pytest.approx(32.0 + 4.0 * 4.0)
    assert later.red_lanes == ()


def test_the_ego_has_the_velocity_of_its_centre_and_nothing_else():
    ego = np.arange(STATE_SIZE, dtype=float)
    bare = published_ego(ego, 1.5)
    assert bare[:4].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert bare[StateIndex.VELOCITY_Y] == 4.0 + 9.0 * 1.5
    assert not bare[5:].any()


def test_the_log_is_met_whatever_is_simulated():
    scenario = busy_scenario()
    moment = PublishedLog(scenario).moment(2, scenario.ego.state(15) + 1.0)
    np.testing.assert_allclose(moment.tracks.pose[0, :, 0], scenario.agents.pose[0, 25:66, 0], atol=1e-9)


def test_a_late_comer_is_hit_by_its_centre_only():
    """A standing car 1.6 m beside the path reaches the ego with its side (1.15 + 0.95 m), but a point does not."""
    scenario = busy_scenario()
    pose, valid = scenario.agents.pose.copy(), scenario.agents.valid.copy()
    vocabulary = Vocabulary(make_plans((8.0,), (0.0,)))
    found = {}
    for offset in (1.6, 0.5):
        pose[0] = (25.0, offset, 0.0)
        for appears in (0, 10):
            seen = valid.copy()
            seen[:, :appears] = False
            agents = replace(
                scenario.agents, pose=pose.copy(), velocity=0 * scenario.agents.velocity, valid=seen
            )
            scorer = VocabularyScorer(vocabulary, "worldengine_v1")
            met = replace(scenario, agents=agents)
            scores = scorer.score(place_of(met), logged_moment(met, scorer.rules))
            found[offset, appears] = float(scores.no_at_fault_collisions[0])
    assert found == {(1.6, 0): 0.0, (1.6, 10): 1.0, (0.5, 0): 0.0, (0.5, 10): 0.0}
