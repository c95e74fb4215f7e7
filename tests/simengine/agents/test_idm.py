"""The driver model against cases that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simengine.agents import idm

PARAMS = idm.IdmParams()


def test_standstill_on_free_road_gives_full_acceleration():
    assert idm.acceleration(0.0, 15.0, np.inf, 0.0, PARAMS) == pytest.approx(PARAMS.max_acceleration)


def test_desired_speed_on_free_road_gives_none():
    assert idm.acceleration(15.0, 15.0, np.inf, 0.0, PARAMS) == pytest.approx(0.0)


def test_equilibrium_gap():
    # a = 0 at equal speeds means s = (s0 + v T) / sqrt(1 - (v / v0)^4).
    v, v0 = 10.0, 15.0
    gap = (PARAMS.min_gap + v * PARAMS.headway) / np.sqrt(1.0 - (v / v0) ** 4)
    assert idm.acceleration(v, v0, gap, 0.0, PARAMS) == pytest.approx(0.0, abs=1e-12)
    assert idm.acceleration(v, v0, 0.9 * gap, 0.0, PARAMS) < 0.0


def test_hand_computed_closing_case():
    # v = 10, leader 6, gap 20: s* = 2 + 14 + 10 * 4 / (2 sqrt(1.5 * 2)) = 16 + 11.547 = 27.547.
    # a = 1.5 (1 - (10/20)^4 - (27.547/20)^2) = 1.5 (0.9375 - 1.89709) = -1.43938.
    assert idm.acceleration(10.0, 20.0, 20.0, 4.0, PARAMS) == pytest.approx(-1.43938, abs=1e-4)


def test_opening_gap_never_wants_less_than_the_minimum():
    # A much faster leader makes the dynamic term negative; only s0 remains.
    assert idm.acceleration(1.0, 15.0, 2.0, -30.0, PARAMS) == pytest.approx(
        1.5 * (1.0 - (1 / 15.0) ** 4 - 1.0), abs=1e-9
    )


def test_terminal_speed_on_free_road():
    v = np.array([0.0])
    for _ in range(1200):
        _, v = idm.advance(v, idm.acceleration(v, 12.0, np.inf, 0.0, PARAMS), 0.1)
    assert v[0] == pytest.approx(12.0, abs=0.01)


def test_approach_to_a_wall_stops_short_of_it():
    x, v = np.zeros(1), np.array([14.0])
    for _ in range(400):
        step, v = idm.advance(v, idm.acceleration(v, 14.0, 80.0 - x, v, PARAMS), 0.1)
        x = x + step
    assert 76.5 < x[0] < 79.0
    assert v[0] < 0.05


@given(
    st.floats(0.0, 40.0),
    st.floats(0.0, 30.0),
    st.floats(0.0, 100.0),
    st.floats(-30.0, 30.0),
    st.floats(0.01, 1.0),
)
def test_speed_is_never_negative_and_travel_never_backwards(speed, desired, gap, closing, dt):
    accel = idm.acceleration(speed, desired, gap, closing, PARAMS)
    assert -PARAMS.max_deceleration <= accel <= PARAMS.max_acceleration
    distance, after = idm.advance(np.array([speed]), np.array([accel]), dt)
    assert after[0] >= 0.0
    assert 0.0 <= distance[0] <= speed * dt + 0.5 * PARAMS.max_acceleration * dt**2 + 1e-9


def test_halting_within_a_step_travels_the_braking_distance():
    # v^2 / (2 b) = 0.4^2 / 16 = 0.01 m.
    distance, after = idm.advance(np.array([0.4]), np.array([-8.0]), 0.1)
    assert (distance[0], after[0]) == (pytest.approx(0.01), 0.0)
