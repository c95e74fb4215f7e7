"""Pairs of frames, weights of follow-up scenes and their aggregation."""

import numpy as np
import pytest

from simengine.metrics.epdms.pairs import preceding_frames
from simengine.metrics.epdms.two_stage import TwoStagePair, follow_up_weights, pair_score, two_stage_score


def test_frames_of_one_log_at_most_055_s_apart_are_pairs() -> None:
    logs = ["b", "a", "a", "a", "b"]
    times = np.array([10.0, 10.5, 10.0, 11.2, 10.54])
    np.testing.assert_array_equal(preceding_frames(logs, times), [-1, 2, -1, -1, 0])


def test_exactly_055_s_is_a_pair() -> None:
    np.testing.assert_array_equal(preceding_frames(["a", "a"], np.array([0.0, 0.55])), [-1, 0])


@pytest.mark.parametrize("count", [0, 1])
def test_no_pairs_among_fewer_than_two_frames(count: int) -> None:
    np.testing.assert_array_equal(preceding_frames(["a"] * count, np.zeros(count)), [-1] * count)


def test_weights_fall_with_the_squared_distance() -> None:
    weights = follow_up_weights(np.array([5.0, 1.0]), np.array([[5.0, 1.0], [5.2, 1.0], [5.0, 1.4]]))
    bell = np.exp([0.0, -0.04 / 0.2, -0.16 / 0.2])
    np.testing.assert_allclose(weights, bell / bell.sum(), rtol=1e-12)


@pytest.mark.parametrize("far", [100.0, np.nan])
def test_weights_are_uniform_where_no_scene_is_near_or_a_place_is_unknown(far: float) -> None:
    starts = np.array([[far, 0.0], [100.0, 3.0], [-100.0, 0.0], [0.0, 100.0]])
    np.testing.assert_array_equal(follow_up_weights(np.zeros(2), starts), np.full(4, 0.25))


def test_weights_are_not_uniform_while_they_sum_to_more_than_nothing() -> None:
    # exp(-d^2 / 0.2) is 1e-8 at d = 1.92 m: one scene nearer than that still decides alone.
    weights = follow_up_weights(np.zeros(2), np.array([[1.9, 0.0], [3.0, 0.0]]))
    assert weights[0] > 0.999


def make_pair() -> TwoStagePair:
    starts = np.array([[[0.0, 0.0], [9.0, 9.0]], [[0.4, 0.0], [9.0, 9.0]]])
    return TwoStagePair(
        score=np.array([0.5, 0.8]),
        end_point=np.array([[0.0, 0.0], [9.0, 9.0]]),
        follow_up_score=np.array([[1.0, 0.2], [0.0, 0.6]]),
        follow_up_start=starts,
    )


def test_a_pair_averages_the_products_of_both_frames() -> None:
    near = 1.0 / (1.0 + np.exp(-0.16 / 0.2))
    assert pair_score(make_pair()) == pytest.approx(0.5 * (0.5 * near + 0.8 * 0.4), abs=1e-12)


def test_the_result_is_the_mean_of_all_pairs() -> None:
    other = TwoStagePair(np.zeros(2), np.zeros((2, 2)), np.ones((1, 2)), np.zeros((1, 2, 2)))
    assert two_stage_score([make_pair(), other]) == pytest.approx(0.5 * pair_score(make_pair()), abs=1e-15)
    assert np.isnan(two_stage_score([]))
