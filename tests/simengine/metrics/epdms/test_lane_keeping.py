"""Time beside the centre line."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from metrics_factories import straight_states
from simengine.datatypes.vehicle import VehicleParams
from simengine.metrics.epdms.lane_keeping import lane_keeping
from simengine.metrics.epdms.parameters import EPDMS
from simengine.metrics.pdm.ego_geometry import ego_geometry

LINE = np.array([[-50.0, 0.0], [20.0, 0.0], [20.0, 0.0], [200.0, 0.0]])  # with a vertex where two lanes join
NOWHERE = np.zeros((1, 41), bool)


def keep(
    states: np.ndarray, crossing: np.ndarray = NOWHERE, line: np.ndarray = LINE, dt: float = 0.1
) -> float:
    ego = ego_geometry(states, VehicleParams())
    return lane_keeping(ego, line, crossing, dt=dt, parameters=EPDMS.pdm)[0]


def beside(frames: range, y: float = 0.6) -> np.ndarray:
    states = straight_states()[None]
    states[0, frames, 1] = y
    return states


@pytest.mark.parametrize(("count", "expected"), [(19, 1.0), (20, 0.0)])
@pytest.mark.parametrize("start", [0, 7, 21])
def test_twenty_samples_in_a_row_are_too_many(count: int, expected: float, start: int) -> None:
    assert keep(beside(range(start, start + count))) == expected


def test_returning_for_one_sample_starts_anew() -> None:
    states = beside(range(40))
    states[0, 19, 1] = 0.0
    assert keep(states[:, :39]) == 1.0
    assert keep(states[:, :40]) == 0.0


@pytest.mark.parametrize(("y", "expected"), [(0.5, 1.0), (0.5000001, 0.0), (-0.5000001, 0.0)])
def test_half_a_metre_is_still_in_lane(y: float, expected: float) -> None:
    assert keep(beside(range(41), y)) == expected


@pytest.mark.parametrize(("beside_after", "expected"), [(9, 1.0), (10, 0.0)])
def test_an_intersection_neither_counts_nor_ends_the_time_beside_the_line(
    beside_after: int, expected: float
) -> None:
    states = beside(range(20 + beside_after))
    crossing = NOWHERE.copy()
    crossing[0, 10:20] = True
    assert keep(states, crossing) == expected
    # Back on the line, but inside the intersection, the count goes on as well.
    states[0, 10:20, 1] = 0.0
    assert keep(states, crossing) == expected


@pytest.mark.parametrize(("dt", "count"), [(0.1, 20), (0.5, 4), (0.3, 7)])
def test_two_seconds_whatever_the_step(dt: float, count: int) -> None:
    assert keep(beside(range(count - 1)), dt=dt) == 1.0
    assert keep(beside(range(count)), dt=dt) == 0.0


def test_a_line_of_one_point_says_nothing() -> None:
    assert np.isnan(keep(beside(range(0)), line=LINE[:1]))


def plain(states: np.ndarray, line: np.ndarray, crossing: np.ndarray) -> list[float]:
    """Return LK by shapely and counting."""
    ego, polyline, scores = ego_geometry(states, VehicleParams()), shapely.LineString(line), []
    for p in range(len(states)):
        count, score = 0, 1.0
        for s in np.flatnonzero(~crossing[p]):
            point = shapely.Point(ego.center_x[p, s], ego.center_y[p, s])
            count = count + 1 if polyline.distance(point) > 0.5 else 0
            score = 0.0 if count == 20 else score
        scores.append(score)
    return scores


@pytest.mark.parametrize("seed", range(5))
def test_against_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    line = np.cumsum(rng.uniform(-2, 4, (rng.integers(2, 90), 2)), axis=0)
    states = np.zeros((60, 41, 11))
    start = line[rng.integers(0, len(line), 60)] + rng.normal(scale=0.6, size=(60, 2))
    states[..., :2] = start[:, None] + np.cumsum(rng.normal(scale=0.03, size=(60, 41, 2)), axis=1)
    states[..., 2] = rng.uniform(-3, 3, (60, 1))
    states[..., 0] -= 1.461 * np.cos(states[..., 2])
    states[..., 1] -= 1.461 * np.sin(states[..., 2])
    crossing = rng.random((60, 41)) < 0.1
    ego = ego_geometry(states, VehicleParams())
    ours = lane_keeping(ego, line, crossing, dt=0.1, parameters=EPDMS.pdm)
    expected = plain(states, line, crossing)
    assert len(set(expected)) == 2
    np.testing.assert_array_equal(ours, expected)


def test_offset_and_time_are_parameters() -> None:
    ego = ego_geometry(beside(range(11)), VehicleParams())
    strict = replace(EPDMS.pdm, lane_keeping_time=1.0)
    wide = replace(strict, lane_keeping_offset=0.7)
    assert lane_keeping(ego, LINE, NOWHERE, dt=0.1, parameters=strict)[0] == 0.0
    assert lane_keeping(ego, LINE, NOWHERE, dt=0.1, parameters=wide)[0] == 1.0
