"""Progress of the extended score."""

import numpy as np

from simengine.metrics.epdms.parameters import EPDMS, EPDMS_CORRECTED
from simengine.metrics.epdms.progress import extended_progress


def test_failures_keep_their_progress_but_do_not_set_the_scale() -> None:
    raw, multiplier = np.array([10.0, 20.0, 40.0]), np.array([1.0, 1.0, 0.0])
    np.testing.assert_array_equal(extended_progress(raw, multiplier, EPDMS), [0.5, 1.0, 1.0])


def test_half_a_multiplier_halves_the_scale() -> None:
    raw, multiplier = np.array([10.0, 12.0]), np.array([0.5, 0.5])
    np.testing.assert_array_equal(extended_progress(raw, multiplier, EPDMS), [1.0, 1.0])


def test_up_to_five_metres_everybody_has_full_progress() -> None:
    np.testing.assert_array_equal(
        extended_progress(np.array([5.0, 1.0, 9.0]), np.array([1.0, 1.0, 0.0]), EPDMS), [1.0, 1.0, 1.0]
    )
    np.testing.assert_allclose(
        extended_progress(np.array([5.01, 1.0]), np.ones(2), EPDMS), [1.0, 1.0 / 5.01], rtol=1e-15
    )


def test_in_pairs_others_do_not_matter() -> None:
    raw, multiplier = np.array([10.0, 20.0, 5.0, 40.0]), np.array([1.0, 1.0, 1.0, 0.0])
    pairs = extended_progress(raw, multiplier, EPDMS, pairwise=True)
    alone = [extended_progress(raw[[0, i]], multiplier[[0, i]], EPDMS)[1] for i in range(1, 4)]
    np.testing.assert_array_equal(pairs[1:], alone)
    np.testing.assert_array_equal(alone, [1.0, 0.5, 1.0])


def test_the_corrected_score_measures_by_the_reference() -> None:
    raw, multiplier = np.array([10.0, 5.0, 40.0]), np.array([0.0, 1.0, 0.0])
    np.testing.assert_array_equal(extended_progress(raw, multiplier, EPDMS_CORRECTED), [0.0, 0.5, 0.0])
