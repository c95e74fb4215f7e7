"""Comfort: the filter matrix against SciPy, and bounds worked out by hand."""

import numpy as np
import pytest
from scipy.signal import savgol_filter

from metrics_factories import straight_states
from simengine.datatypes.ego import StateIndex
from simengine.metrics.pdm.comfort import BOUNDS, comfort, smoothing_matrix


@pytest.mark.parametrize(
    ("length", "window", "order", "derivative"),
    [
        (41, 41, 2, 0),
        (41, 41, 2, 1),
        (41, 8, 2, 0),
        (41, 5, 3, 2),
        (41, 5, 2, 1),
        (9, 9, 2, 1),
        (9, 8, 2, 0),
        (8, 8, 2, 0),
    ],
)
def test_filter_is_scipys(length: int, window: int, order: int, derivative: int) -> None:
    series = np.random.default_rng(length + window).normal(size=length)
    expected = savgol_filter(series, window, order, deriv=derivative)
    np.testing.assert_allclose(
        smoothing_matrix(length, window, order, derivative) @ series, expected, atol=1e-10
    )


def test_constant_acceleration_at_the_bound_is_uncomfortable() -> None:
    # A constant passes every smoothing unchanged; the bound itself is outside.
    for acceleration, comfortable in ((2.399, 1.0), (2.40, 0.0), (-4.04, 1.0), (-4.06, 0.0)):
        states = straight_states()[None].copy()
        states[..., StateIndex.ACCELERATION_X] = acceleration
        assert comfort(states, 0.1).score[0] == comfortable


def test_constant_yaw_rate() -> None:
    for rate, comfortable in ((0.94, 1.0), (0.96, 0.0)):
        states = straight_states()[None].copy()
        # Wrapping must not look like a jump.
        states[..., StateIndex.HEADING] = (rate * 0.1 * np.arange(41) + 3.0 + np.pi) % (2 * np.pi) - np.pi
        result = comfort(states, 0.1)
        assert result.score[0] == comfortable
        np.testing.assert_allclose(result.series[0, 5], rate, atol=1e-6)


def test_first_broken_check_is_named() -> None:
    states = straight_states()[None].copy()
    states[..., StateIndex.ACCELERATION_X] = 5.0
    result = comfort(states, 0.1)
    assert list(BOUNDS)[result.first_check[0]] == "longitudinal acceleration"
    assert result.first_frame[0] == 0
