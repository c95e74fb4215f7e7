import numpy as np
import pytest

from algengine.table.interval import paired_interval
from simengine.metrics.summary import bootstrap_interval


def successes(rng, trainings: int, scenarios: int, seeds_differ_by: float) -> np.ndarray:
    """Return (T, N) results of trainings of unequal luck in the same scenarios of unequal difficulty."""
    easy = rng.normal(0.0, 2.0, scenarios) + rng.normal(0.0, seeds_differ_by, (trainings, 1))
    return (rng.random((trainings, scenarios)) < 1.0 / (1.0 + np.exp(-easy))).astype(float)


def test_with_one_training_each_it_is_the_interval_over_scenarios():
    rng = np.random.default_rng(3)
    ours, theirs = rng.random((1, 30)), rng.random((1, 30))
    assert paired_interval(ours, theirs) == pytest.approx(bootstrap_interval((ours - theirs)[0]), abs=1e-12)


def test_equal_results_differ_by_nothing():
    same = np.random.default_rng(0).random((1, 12))
    assert paired_interval(same, same) == (0.0, 0.0)


def test_trainings_in_the_same_scenarios_are_paired_and_not_independent():
    """Three equal trainings know no more of other scenarios than one; what both rows share cancels."""
    rng = np.random.default_rng(1)
    ours, theirs = rng.random((1, 40)), rng.random((1, 40))
    one, three = paired_interval(ours, theirs), paired_interval(np.repeat(ours, 3, axis=0), theirs)
    assert three == pytest.approx(one, abs=1e-12)
    shift = rng.normal(0.0, 10.0, (1, 40))
    assert paired_interval(ours + shift, theirs + shift) == pytest.approx(one, abs=1e-9)


def test_trainings_that_differ_widen_it():
    gain = np.random.default_rng(2).random(40)
    lucky = np.stack([gain - 0.3, gain, gain + 0.3])
    low, high = paired_interval(lucky, np.zeros((1, 40)))
    narrow = bootstrap_interval(gain)
    assert high - low > 2.0 * (narrow[1] - narrow[0])


def test_it_holds_what_other_seeds_and_scenarios_would_give_about_as_often_as_it_says():
    truth = successes(np.random.default_rng(0), 1500, 1500, 0.6).mean()
    held = {"both": 0, "scenarios": 0}
    for seed in range(200):
        ours, none = successes(np.random.default_rng([7, seed]), 3, 64, 0.6), np.zeros((1, 64))
        ends = {"both": paired_interval(ours, none), "scenarios": bootstrap_interval(ours.mean(axis=0))}
        for name, (low, high) in ends.items():
            held[name] += low <= truth <= high
    assert held["both"] >= 180
    assert held["scenarios"] < held["both"] - 10
