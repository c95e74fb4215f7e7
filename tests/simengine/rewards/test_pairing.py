"""Vectorised pairs against the obvious loop over batches of two."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.metrics.pdm.parameters import CORRECTED, NAVSIM_V1, WORLDENGINE_V1, WORLDENGINE_V1_DENSE
from simengine.metrics.pdm.progress import ego_progress
from simengine.rewards.pairing import paired_progress

RULES = {
    "masked_best": NAVSIM_V1,
    "reference": CORRECTED,
    "best": WORLDENGINE_V1,
    "reference_then_mask": WORLDENGINE_V1_DENSE,
}


def pair_by_pair(raw, multiplier, parameters):
    pairs = [ego_progress(raw[[0, k]], multiplier[[0, k]], parameters)[1] for k in range(1, len(raw))]
    return np.array(pairs)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("reference", [0.0, 0.05, 3.0, 4.999, 5.0, 5.001, 30.0])
@pytest.mark.parametrize("passed", [0.0, 0.5, 1.0])
def test_every_rule_is_its_loop_over_pairs(rule, reference, passed):
    rng = np.random.default_rng(7)
    raw = np.concatenate(
        [[reference], rng.uniform(0, 40, 200), rng.uniform(0, 6, 200), [0.0, 5.0, reference]]
    )
    multiplier = np.concatenate([[passed], rng.choice([0.0, 0.5, 1.0], len(raw) - 1)])
    parameters = RULES[rule]
    assert parameters.progress_rule == rule
    np.testing.assert_array_equal(
        paired_progress(raw, multiplier, parameters), pair_by_pair(raw, multiplier, parameters)
    )


def test_an_entry_does_not_care_about_the_others():
    raw, multiplier = np.array([20.0, 10.0, 60.0]), np.ones(3)
    with_champion = paired_progress(raw, multiplier, NAVSIM_V1)
    assert with_champion.tolist() == [0.5, 1.0]
    assert ego_progress(raw, multiplier, NAVSIM_V1)[1] == pytest.approx(10 / 60)
    assert paired_progress(raw[:2], multiplier[:2], NAVSIM_V1).tolist() == [0.5]


def test_failed_reference_leaves_an_entry_its_own_yardstick():
    # NAVSIM masks progress first: a reference that crashed has made none.
    assert paired_progress(np.array([30.0, 12.0]), np.array([0.0, 1.0]), NAVSIM_V1).tolist() == [1.0]
    # The corrected rule compares with how far the reference got.
    assert paired_progress(np.array([30.0, 12.0]), np.array([0.0, 1.0]), CORRECTED).tolist() == [0.4]


def test_short_ways_are_full_progress_but_not_for_failures():
    raw, multiplier = np.array([4.0, 2.0, 2.0]), np.array([1.0, 1.0, 0.0])
    assert paired_progress(raw, multiplier, NAVSIM_V1).tolist() == [1.0, 0.0]
    lower = replace(NAVSIM_V1, progress_threshold=3.0)
    assert paired_progress(raw, multiplier, lower).tolist() == [0.5, 0.0]
