"""The compiled filters against SciPy's and against a plain matrix product."""

import numpy as np
import pytest
from scipy.signal import savgol_filter

from simengine.metrics.epdms.filters import smooth, unwrapped
from simengine.metrics.pdm.comfort import smoothing_matrix


@pytest.mark.parametrize("length", [8, 15, 36, 55])
@pytest.mark.parametrize(
    ("window", "order", "derivative"), [(8, 2, 0), (15, 2, 1), (5, 2, 1), (5, 3, 2), (5, 2, 2), (9, 2, 0)]
)
def test_against_scipy(length: int, window: int, order: int, derivative: int) -> None:
    series = np.random.default_rng(length).normal(size=(7, length))
    window = min(window, length)
    expected = savgol_filter(series, window, order, deriv=derivative, delta=0.1, axis=-1)
    np.testing.assert_allclose(smooth(series, window, order, derivative, 0.1), expected, atol=2e-8)


@pytest.mark.parametrize("window", [None, 8, 15, 100])
def test_against_a_matrix_product(window: int | None) -> None:
    series = np.random.default_rng(0).normal(size=(30, 41))
    matrix = smoothing_matrix(41, min(window or 41, 41), 2, 1)
    np.testing.assert_allclose(smooth(series, window, 2, 1, 0.5), series @ matrix.T / 0.5, atol=2e-8)


def test_results_have_eight_decimals() -> None:
    filtered = smooth(np.random.default_rng(1).normal(size=(3, 20)), 8, 2)
    np.testing.assert_array_equal(filtered, np.round(filtered, 8))


def test_headings_have_no_jumps() -> None:
    turning = np.linspace(0.0, 20.0, 41)[None] * np.array([[1.0], [-1.0]])
    wrapped = (turning + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(unwrapped(wrapped), turning, atol=1e-12)
