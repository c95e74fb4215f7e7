"""Where the centre line starts and which lanes it follows."""

import numpy as np
import pytest

from factories import make_straight_map
from simengine.datatypes.map import Lane, VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.pdm_closed.centerline import route_line, starting_lane
from simengine.pdm_closed.roads import road_network

CAR = VehicleParams()


def start_of(vector_map, x, y, yaw=0.0):
    lanes = road_network(vector_map).lanes
    return starting_lane(lanes, np.array([x, y, yaw]), CAR).id


def test_the_lane_under_the_rear_axle():
    assert start_of(make_straight_map(), 0.0, 3.4) == "lane_1"


def test_of_overlapping_lanes_the_one_with_the_right_heading():
    turned = np.array([[0.0, 0.0], [5.0, 5.0], [10.0, 10.0]])
    ahead = np.array([[0.0, 0.0], [5.0, 0.0], [10.0, 0.0]])
    lanes = {
        name: Lane(name, line, np.zeros((0, 2))) for name, line in (("turned", turned), ("ahead", ahead))
    }
    assert start_of(VectorMap(lanes=lanes), 0.2, 0.1, 0.1) == "ahead"
    assert start_of(VectorMap(lanes=lanes), 0.2, 0.1, 0.7) == "turned"


def test_without_one_the_lane_under_the_centre_then_the_nearest():
    # The road starts at x = -50: a rear axle before it has its centre on the road.
    assert start_of(make_straight_map(), -50.5, 3.5) == "lane_1"
    assert start_of(make_straight_map(), 0.0, 9.0) == "lane_1"
    assert start_of(make_straight_map(), 0.0, -9.0) == "lane_0"


def test_the_window_of_blocks_limits_the_line():
    names = [f"l{k}" for k in range(40)]
    lanes = {
        name: Lane(
            name,
            np.array([[10.0 * k, 0.0], [10.0 * k + 10.0, 0.0]]),
            np.zeros((0, 2)),
            successors=tuple(names[k + 1 : k + 2]),
        )
        for k, name in enumerate(names)
    }
    roads = road_network(VectorMap(lanes=lanes))
    line = route_line(roads, names, roads.lanes, roads.lanes["l2"])
    assert line[0, 0] == 20.0
    assert line[-1, 0] == 20.0 + 30 * 10.0
    np.testing.assert_array_equal(line[1], line[2])


@pytest.mark.parametrize("missing", ["polygon", "roadblock"])
def test_maps_without_polygons_or_roadblocks(missing):
    full = make_straight_map()
    lanes = {
        k: Lane(k, lane.centerline, lane.polygon if missing == "roadblock" else np.zeros((0, 2)))
        for k, lane in full.lanes.items()
    }
    roads = road_network(VectorMap(lanes=lanes))
    assert list(roads.blocks) == ["lane_0", "lane_1"], "each lane is a block of its own"
    assert start_of(VectorMap(lanes=lanes), 0.0, 3.0) == "lane_1"
