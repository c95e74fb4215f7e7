"""The weighted product, and who is excused."""

import numpy as np
import pytest

from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, MULTIPLIERS, SUB_SCORES, epdms_score
from simengine.metrics.epdms.human_filter import FILTERED, excuse


def perfect(count: int = 1) -> dict[str, np.ndarray]:
    return {name: np.ones(count) for name in SUB_SCORES}


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("ego_progress", 5 / 16),
        ("time_to_collision_within_bound", 5 / 16),
        ("lane_keeping", 2 / 16),
        ("history_comfort", 2 / 16),
        ("two_frame_extended_comfort", 2 / 16),
        *((name, 1.0) for name in MULTIPLIERS),
    ],
)
def test_what_each_sub_score_is_worth(name: str, lost: float) -> None:
    assert epdms_score(perfect() | {name: np.zeros(1)})[0] == 1.0 - lost


def test_half_points_multiply() -> None:
    half = {"no_at_fault_collisions": np.array([0.5]), "driving_direction_compliance": np.array([0.5])}
    assert epdms_score(perfect() | half)[0] == 0.25


def test_without_a_frame_before_the_weights_sum_to_14() -> None:
    columns = perfect(2) | {"lane_keeping": np.zeros(2), EXTENDED_COMFORT: np.array([np.nan, 1.0])}
    np.testing.assert_array_equal(epdms_score(columns), [12 / 14, 14 / 16])
    del columns[EXTENDED_COMFORT]
    np.testing.assert_array_equal(epdms_score(columns), [12 / 14, 12 / 14])


@pytest.mark.parametrize("name", FILTERED)
def test_any_other_unknown_makes_the_score_unknown(name: str) -> None:
    assert np.isnan(epdms_score(perfect() | {name: np.array([np.nan])})[0])


@pytest.mark.parametrize("name", FILTERED)
def test_the_human_excuses_exactly_what_the_human_failed(name: str) -> None:
    agent = {other: np.array([0.0, 0.25, 1.0]) for other in SUB_SCORES}
    human = dict.fromkeys(FILTERED, 1.0) | {"driving_direction_compliance": 0.5, name: 0.0}
    excused = excuse(agent, human)
    for other in SUB_SCORES:
        np.testing.assert_array_equal(excused[other], np.ones(3) if other == name else agent[other])


def test_extended_comfort_is_never_excused() -> None:
    agent = {name: np.zeros(1) for name in SUB_SCORES}
    excused = excuse(agent, dict.fromkeys(SUB_SCORES, 0.0))
    assert excused[EXTENDED_COMFORT][0] == 0.0
    assert all(excused[name][0] == 1.0 for name in FILTERED)
