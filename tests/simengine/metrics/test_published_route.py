"""The route of the published score: lanes near the ego and its plans, by hand and against a scalar search."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from factories import make_scenario, make_straight_map
from metrics_factories import make_record, straight_states
from simengine.datatypes.map import Lane, Roadblock, VectorMap
from simengine.metrics.episode import score_record
from simengine.metrics.published_route import nearest_lanes, published_route


def two_way() -> VectorMap:
    """Return the straight road with one lane along +x at y = 0 and one against it at y = 3.5."""
    road = make_straight_map(lanes=1)
    lane = road.lanes["lane_0"]
    back = Lane("back_0", lane.centerline[::-1] + [0, 3.5], lane.polygon + [0, 3.5], "back")
    ring = road.roadblocks["road"].polygon
    blocks = {**road.roadblocks, "back": Roadblock("back", ring + [0, 3.5], ("back_0",))}
    return VectorMap({**road.lanes, "back_0": back}, blocks)


def test_the_logged_lane_is_on_the_route_wherever_the_ego_is():
    scenario = make_scenario(map=two_way())
    assert published_route(make_record(scenario), scenario) == {"lane_0"}
    wrong = make_record(scenario, straight_states(y=3.5))
    assert published_route(wrong, scenario) == {"lane_0", "back_0"}


def test_a_plan_into_a_lane_is_enough():
    scenario = make_scenario(map=two_way())
    record = make_record(scenario)
    plans = record.plans.copy()
    plans[3, 30:, 1] = 2.0  # only its last second lies nearer to the other lane, that of 3.5 and 4.0 s
    assert published_route(replace(record, plans=plans), scenario) == {"lane_0", "back_0"}
    plans[3, 30:, 1] = 0.0
    plans[3, 31:34, 1] = 2.0  # between the half seconds that count
    assert published_route(replace(record, plans=plans), scenario) == {"lane_0"}


def test_driving_on_the_wrong_side_is_compliant_where_one_plans_to():
    scenario = make_scenario(map=two_way())
    record = make_record(scenario, straight_states(y=3.5))
    assert score_record(record, scenario, "worldengine_v1").driving_direction_compliance == 1.0
    assert score_record(record, scenario, "navsim_v1").driving_direction_compliance == 0.0


def test_all_lanes_of_a_roadblock_are_on_the_route():
    scenario = make_scenario()
    assert published_route(make_record(scenario), scenario) == {"lane_0", "lane_1"}
    assert (
        published_route(make_record(make_scenario(map=VectorMap())), make_scenario(map=VectorMap())) == set()
    )


def scalar_distance(line: np.ndarray, point: np.ndarray) -> float:
    best, found = math.inf, math.nan
    for k, (a, b) in enumerate(itertools.pairwise(line)):
        length = math.dist(a, b)
        ux, uy = (b - a) / length
        dx, dy = point - a
        along, across = dx * ux + dy * uy, abs(dx * uy - dy * ux)
        gap = math.hypot(across, max(-along, along - length, 0.0))
        if gap < best:
            best = gap
            before = max(-along, 0.0) if k == 0 else 0.0
            beyond = max(along - length, 0.0) if k == len(line) - 2 else 0.0
            found = across + before + beyond
    return found


@pytest.mark.parametrize("seed", range(5))
def test_nearest_lanes_are_those_of_a_scalar_search(seed):
    rng = np.random.default_rng(seed)
    lanes = {}
    for k in range(12):
        line = rng.uniform(-40, 40, 2) + np.cumsum(rng.normal(3.0, 2.0, (int(rng.integers(2, 9)), 2)), axis=0)
        lanes[f"l{k}"] = Lane(f"l{k}", line, np.zeros((0, 2)))
    points = rng.uniform(-50, 60, (40, 2))
    expected = {min(lanes, key=lambda name: scalar_distance(lanes[name].centerline, p)) for p in points}
    assert set(nearest_lanes(VectorMap(lanes), points)) == expected
