"""Maps of the built-in world: links, containment, coverage, routes."""

import numpy as np
import pytest
import shapely

from simengine.agents.road_areas import drivable_areas
from simengine.datatypes.map import AreaKind
from simengine.geometry import boxes, polyline, se2
from simengine.world import places

CASES = [
    ("straight", {}),
    ("curve", {}),
    ("crossing", {"turn": "left"}),
    ("crossing", {"turn": "straight"}),
    ("crossing", {"turn": "right"}),
    ("merge", {"ramp": True}),
    ("merge", {"ramp": False}),
]


@pytest.fixture(scope="module", params=[(case, seed) for case in CASES for seed in (0, 1)], ids=str)
def place(request):
    (family, choices), seed = request.param
    return places.FAMILIES[family](np.random.default_rng(seed), **choices)


def test_links_are_symmetric_and_touch(place):
    lanes = place.vector_map.lanes
    for lane in lanes.values():
        for name in lane.successors:
            assert lane.id in lanes[name].predecessors
            assert np.allclose(lane.centerline[-1], lanes[name].centerline[0], atol=1e-6)
        for name in lane.predecessors:
            assert lane.id in lanes[name].successors
        for name in lane.left:
            assert lane.id in lanes[name].right
        for name in lane.right:
            assert lane.id in lanes[name].left


def test_left_neighbours_lie_to_the_left(place):
    for lane in place.vector_map.lanes.values():
        for name in lane.left:
            middle = place.vector_map.lanes[name].centerline
            _, offset = polyline.project(lane.centerline, middle[len(middle) // 2])
            assert offset == pytest.approx(3.6, abs=0.2)


def test_centrelines_lie_in_their_polygons(place):
    for lane in place.vector_map.lanes.values():
        ring = shapely.Polygon(lane.polygon)
        assert ring.is_valid
        assert ring.buffer(0.05).covers(shapely.LineString(lane.centerline))


def test_lanes_heading_changes_are_gentle(place):
    # The tightest bend is a right turn of about 10 m radius; half a metre of it turns 0.05 rad.
    for lane in place.vector_map.lanes.values():
        line = polyline.resample(lane.centerline, 0.5)
        turns = np.abs(np.diff(np.unwrap(polyline.headings(line))))
        assert turns.max(initial=0.0) < 0.08


def test_roadblocks_name_their_lanes(place):
    for block in place.vector_map.roadblocks.values():
        assert block.lane_ids
        for name in block.lane_ids:
            lane = place.vector_map.lanes[name]
            assert (lane.roadblock_id, lane.is_connector) == (block.id, block.is_connector)


def test_route_is_connected(place):
    lanes = place.vector_map.lanes
    for name, following in zip(place.route_lanes, place.route_lanes[1:], strict=False):
        assert following in lanes[name].successors
    assert set(place.route) <= set(place.vector_map.roadblocks)


def test_drivable_area_covers_a_car_on_the_route(place):
    drivable, own_side = drivable_areas(place.vector_map, place.route)
    line = place.ego_line
    s = np.arange(6.0, polyline.arc_length(line)[-1] - 6.0, 0.7)
    corners = boxes.corners(se2.shift_forward(polyline.sample(line, s), 1.461), 5.176, 2.297).reshape(-1, 2)
    assert shapely.contains_xy(drivable, corners[:, 0], corners[:, 1]).all()
    assert shapely.contains_xy(own_side, corners[:, 0], corners[:, 1]).all()


def test_intersections_cover_all_connectors(place):
    junctions = [shapely.Polygon(area.polygon) for area in place.vector_map.areas_of(AreaKind.INTERSECTION)]
    connectors = [lane for lane in place.vector_map.lanes.values() if lane.is_connector]
    assert bool(junctions) == bool(connectors)
    for lane in connectors:
        assert any(junction.contains(shapely.Polygon(lane.polygon)) for junction in junctions)


def test_turns_go_where_they_say():
    for turn, angle in (("left", np.pi / 2), ("straight", 0.0), ("right", -np.pi / 2)):
        line = places.crossing(np.random.default_rng(5), turn).ego_line
        heading = np.unwrap(polyline.headings(line))
        assert heading[-1] - heading[0] == pytest.approx(angle, abs=0.03)


def test_families_have_what_they_promise():
    crossing = places.crossing(np.random.default_rng(0))
    assert len(crossing.controlled) == 4
    assert len(crossing.vector_map.areas_of(AreaKind.CROSSWALK)) == 4
    assert crossing.vector_map.areas_of(AreaKind.STOP_LINE)
    assert crossing.vector_map.areas_of(AreaKind.WALKWAY)
    assert crossing.vector_map.lines
