"""Comfort with a past, comfort between two frames, and the acceleration both look at."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import savgol_filter

from epdms_factories import random_drives
from metrics_factories import straight_states
from simengine.datatypes.ego import STATE_SIZE
from simengine.metrics.epdms.extended_comfort import extended_comfort, overlap_shift
from simengine.metrics.epdms.history_comfort import history_comfort
from simengine.metrics.epdms.motion import acceleration_at_center, motion
from simengine.metrics.epdms.parameters import EPDMS, EPDMS_CORRECTED
from simengine.metrics.epdms.past import past_states
from simengine.metrics.pdm.comfort import BOUNDS
from simengine.metrics.pdm.parameters import ComfortRules

LEVER = 1.461


def history(states: np.ndarray, past: np.ndarray, rules: ComfortRules = EPDMS.history):
    return history_comfort(states, past, rear_axle_to_center=LEVER, dt=0.1, rules=rules)


def extended(current: np.ndarray, previous: np.ndarray, parameters=EPDMS) -> np.ndarray:
    return extended_comfort(current, previous, 5, rear_axle_to_center=LEVER, dt=0.1, parameters=parameters)


def past_of(acceleration: float, yaw_rate: float = 0.0, count: int = 14) -> np.ndarray:
    """Return a past that ends at the start of `straight_states`."""
    past, back = np.zeros((count, STATE_SIZE)), -0.1 * np.arange(count, 0, -1)
    past[:, 0], past[:, 2] = 12.0 + 8.0 * back, yaw_rate * back
    past[:, 3], past[:, 5] = 8.0 + acceleration * back, acceleration
    return past


@pytest.mark.parametrize("rules", [EPDMS.history, EPDMS_CORRECTED.history])
@pytest.mark.parametrize(
    ("past", "broken"),
    [(past_of(0.0), None), (past_of(-5.0), "longitudinal acceleration"), (past_of(0.0, 1.2), "yaw rate")],
)
def test_a_rough_past_counts_against_a_smooth_plan(
    past: np.ndarray, broken: str | None, rules: ComfortRules
) -> None:
    result = history(straight_states()[None], past, rules)
    within = dict(zip(BOUNDS, result.within[0].tolist(), strict=True))
    assert all(within.values()) == (broken is None)
    assert broken is None or not within[broken]
    assert result.score[0] == float(broken is None)
    assert history(straight_states()[None], past[:0], rules).score[0] == 1.0


def series_of(states: np.ndarray, past: np.ndarray) -> np.ndarray:
    """Return the six series of one sequence as NAVSIM v2.2 does it, with SciPy."""
    joined = np.concatenate([past, states])
    smooth = lambda x, *args, **more: np.round(savgol_filter(x, *args, **more), 8)  # noqa: E731
    ax, ay, rate, acceleration = joined[:, 5], joined[:, 6], joined[:, 9], joined[:, 10]
    lon = ax + LEVER * (rate**2 + acceleration)
    heading = np.unwrap(joined[:, 2])
    return np.stack(
        [
            smooth(lon, 8, 2),
            smooth(ay, 8, 2),
            smooth(smooth(np.hypot(ax, ay), 8, 2), 15, 2, deriv=1, delta=0.1),
            smooth(smooth(lon, 8, 2), 15, 2, deriv=1, delta=0.1),
            smooth(heading, 5, 3, deriv=2, delta=0.1),
            smooth(heading, 5, 2, deriv=1, delta=0.1),
        ]
    )


def test_history_series_against_scipy() -> None:
    states, past = random_drives(np.random.default_rng(3), 20), past_of(-1.0, 0.1)
    expected = np.stack([series_of(row, past) for row in states])
    np.testing.assert_allclose(history(states, past).series, expected, atol=5e-8)


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ([-1_500_000, -1_000_000, -500_000, 0], 14),  # -1.5 .. -0.2: the sample at -0.1 is dropped
        ([-1_500_036, -999_755, -499_825, 0], 15),  # a log that started 36 us earlier has one sample more
        ([-1_499_732, -999_945, -499_819, 0], 14),
        ([-500_000, 0], 4),
        ([0], 0),
    ],
)
def test_samples_of_the_past(offsets: list[int], expected: int) -> None:
    times = 1_600_000_000_000_000 + np.array(offsets)
    knots = np.zeros((len(offsets), STATE_SIZE))
    knots[:, 0] = 8.0 * np.array(offsets) * 1e-6
    past = past_states(times, knots, EPDMS)
    assert len(past) == expected
    if expected:
        np.testing.assert_allclose(past[:, 0], 8e-6 * (offsets[0] + 100_000 * np.arange(expected)), atol=1e-9)
        whole = past_states(times, knots, EPDMS_CORRECTED)
        assert whole[-1, 0] == pytest.approx(-0.8, abs=1e-9)
        np.testing.assert_allclose(np.diff(whole[:, 0]), 0.8, atol=1e-9)
        assert len(whole) in (expected, expected + 1)


def test_the_heading_of_the_past_goes_the_shorter_way() -> None:
    knots = np.zeros((2, STATE_SIZE))
    knots[:, 2] = [3.1, -3.1]
    past = past_states(np.array([-500_000, 0]), knots, EPDMS)
    assert (np.abs(past[:, 2]) >= 3.1 - 1e-12).all()


def turning_body(turn: float, spin: float, pull: float) -> tuple[np.ndarray, np.ndarray]:
    """Return states of a rear axle that rolls along its heading, and the true acceleration of its box centre.

    Yaw is turn * t + spin * t^2 / 2 and speed 6 + pull * t; positions are integrated finely, and the centre's
    acceleration (longitudinal, lateral) comes from second differences of its position.
    """
    step, every = 1e-3, 100
    t = np.arange(0, 5.0, step)
    yaw, speed = turn * t + 0.5 * spin * t**2, 6.0 + pull * t
    rear = np.cumsum(speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw)], axis=1) * step, axis=0)
    centre = rear + LEVER * np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    acceleration = np.gradient(np.gradient(centre, step, axis=0), step, axis=0)
    along = np.stack([np.cos(yaw), np.sin(yaw)], axis=1)
    across = np.stack([-np.sin(yaw), np.cos(yaw)], axis=1)
    true = np.stack([(acceleration * along).sum(1), (acceleration * across).sum(1)], axis=1)[::every]
    states = np.zeros((1, len(t[::every]), STATE_SIZE))
    states[0, :, :2], states[0, :, 2], states[0, :, 3] = rear[::every], yaw[::every], speed[::every]
    states[0, :, 5], states[0, :, 9], states[0, :, 10] = pull, (turn + spin * t)[::every], spin
    return states, true


@pytest.mark.parametrize(("turn", "spin", "pull"), [(0.4, 0.0, 0.0), (0.1, 0.2, -1.0), (-0.3, 0.1, 1.5)])
def test_corrected_acceleration_is_that_of_a_rigid_body(turn: float, spin: float, pull: float) -> None:
    states, true = turning_body(turn, spin, pull)
    lon, lat = acceleration_at_center(motion(states), LEVER, EPDMS_CORRECTED.history, 0.1)
    inner = slice(10, -10)
    np.testing.assert_allclose(lon[0, inner], true[inner, 0], atol=0.02)
    np.testing.assert_allclose(lat[0, inner], true[inner, 1], atol=0.02)


def test_published_acceleration_takes_turning_for_speeding_up() -> None:
    states, _ = turning_body(0.4, 0.2, -1.0)
    lon, lat = acceleration_at_center(motion(states), LEVER, EPDMS.history, 0.1)
    rate = 0.4 + 0.2 * 0.1 * np.arange(states.shape[1])
    np.testing.assert_allclose(lon[0], -1.0 + LEVER * (rate**2 + 0.2), atol=1e-9)
    assert not lat.any()


def test_only_the_corrected_score_feels_a_fast_bend() -> None:
    # 14 m/s at 0.5 rad/s is 7 m/s^2 sideways, far outside of 4.89.
    t = 0.1 * np.arange(41)
    states = straight_states(speed=14.0)[None]
    states[0, :, 2], states[0, :, 9] = 0.5 * t, 0.5
    past = np.array(states[0, :14])
    past[:, 2] = 0.5 * 0.1 * (np.arange(14) - 14)
    assert history(states, past).score[0] == 1.0
    corrected = history(states, past, EPDMS_CORRECTED.history)
    assert np.flatnonzero(~corrected.within[0]).tolist() == [1]


@pytest.mark.parametrize("parameters", [EPDMS, EPDMS_CORRECTED])
def test_the_same_plan_continued_feels_alike(parameters) -> None:
    longer = random_drives(np.random.default_rng(5), 30)
    previous = longer
    current = np.concatenate([longer[:, 5:], longer[:, -5:]], axis=1)
    np.testing.assert_array_equal(extended(current, previous, parameters), np.ones(30))


@pytest.mark.parametrize("parameters", [EPDMS, EPDMS_CORRECTED])
@pytest.mark.parametrize(("column", "jump"), [(5, 2.0), (2, 0.15)])
def test_a_jump_between_plans_is_felt(column: int, jump: float, parameters) -> None:
    previous = straight_states()[None]
    current = previous.copy()
    current[0, 10:, column] += jump
    assert extended(current, previous, parameters)[0] == 0.0


def test_a_constant_difference_of_the_acceleration_at_the_limit() -> None:
    previous = straight_states()[None]
    for offset, expected in ((0.7, 1.0), (0.70001, 0.0)):
        current = previous.copy()
        current[..., 5] = offset
        assert extended(current, previous)[0] == expected


def plain(current: np.ndarray, previous: np.ndarray) -> float:
    smooth = lambda x, *args, **more: np.round(savgol_filter(x, *args, **more), 8)  # noqa: E731

    def series(states: np.ndarray) -> list[np.ndarray]:
        size, heading = np.hypot(states[:, 5], states[:, 6]), np.unwrap(states[:, 2])
        return [
            smooth(size, 8, 2),
            smooth(smooth(size, 8, 2), 15, 2, deriv=1, delta=0.1),
            smooth(heading, 5, 2, deriv=1, delta=0.1),
            smooth(heading, 5, 2, deriv=2, delta=0.1),
        ]

    pairs = zip(series(current[:-5]), series(previous[5:]), (0.7, 0.5, 0.1, 0.1), strict=True)
    return float(all(np.sqrt(np.mean((a - b) ** 2)) <= limit for a, b, limit in pairs))


def test_extended_comfort_against_scipy() -> None:
    rng = np.random.default_rng(11)
    previous = random_drives(rng, 200)
    current = np.concatenate([previous[:, 5:], previous[:, -5:]], axis=1)
    shape = (200, 1)
    current[..., 5] += rng.normal(scale=0.4, size=shape) + rng.normal(scale=0.1, size=(200, 41))
    current[..., 2] += rng.normal(scale=0.05, size=shape) * np.sin(0.1 * np.arange(41))
    expected = [plain(a, b) for a, b in zip(current, previous, strict=True)]
    assert 20 < sum(expected) < 180
    np.testing.assert_array_equal(extended(current, previous), expected)
    one = extended(current, previous[0])
    np.testing.assert_array_equal(one, [plain(row, previous[0]) for row in current])


@pytest.mark.parametrize(
    ("elapsed", "shift"),
    [
        (0.5, 5),
        (0.499, 5),
        (0.549, 5),
        (0.1, 1),
        (0.55, None),
        (0.6, None),
        (0.0, None),
        (-0.5, None),
        (0.04, None),
    ],
)
def test_which_frames_are_pairs(elapsed: float, shift: int | None) -> None:
    assert overlap_shift(elapsed, 0.1, EPDMS) == shift


def test_results_do_not_depend_on_threads() -> None:
    rng = np.random.default_rng(2)
    states, before = random_drives(rng, 700), random_drives(rng, 700)
    more = {"rear_axle_to_center": LEVER, "dt": 0.1}
    for rules in (EPDMS.history, EPDMS_CORRECTED.history):
        one, many = (history_comfort(states, past_of(0.0), rules=rules, threads=n, **more) for n in (1, 3))
        np.testing.assert_array_equal(one.series, many.series)
    wide = replace(EPDMS, acceleration_difference=2.0, jerk_difference=2.0)
    one, many = (extended_comfort(states, before, 5, parameters=wide, threads=n, **more) for n in (1, 3))
    assert 0 < one.sum() < 700
    np.testing.assert_array_equal(one, many)
