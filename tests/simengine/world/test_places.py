"""Maps of the built-in world: links, containment, coverage, routes."""

import numpy as np
import pytest
import shapely

from simengine.agents.road_areas import drivable_areas
from simengine.datatypes.map import AreaKind
from simengine.geometry import boxes, polyline, se2
from simengine.map.route import route_centerline
from simengine.world import places

CASES = [
    ("straight", {}),
    ("curve", {}),
    ("arterial", {}),
    ("narrow", {}),
    ("lane_closure", {"in_closed_lane": True}),
    ("lane_closure", {"in_closed_lane": False}),
    ("crossing", {"turn": "left"}),
    ("crossing", {"turn": "straight"}),
    ("crossing", {"turn": "right"}),
    ("stop_crossing", {"turn": "left"}),
    ("stop_crossing", {"turn": "straight", "control": "all_way"}),
    ("stop_crossing", {"turn": "right"}),
    ("grid", {"control": "lights"}),
    ("grid", {"control": "two_way"}),
    ("roundabout", {"exits": 1}),
    ("roundabout", {"exits": 3}),
    ("merge", {"ramp": True}),
    ("merge", {"ramp": False}),
    ("highway_merge", {"ramp": True}),
    ("highway_merge", {"ramp": False, "acceleration_lane": 55.0}),
    ("highway_exit", {"leave": True}),
    ("highway_exit", {"leave": False}),
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


def test_all_polygons_are_valid(place):
    rings = [lane.polygon for lane in place.vector_map.lanes.values()]
    rings += [block.polygon for block in place.vector_map.roadblocks.values()]
    rings += [area.polygon for area in place.vector_map.areas]
    for ring in rings:
        polygon = shapely.Polygon(ring)
        assert polygon.is_valid
        assert polygon.area > 0.1


def test_lanes_outside_junctions_do_not_overlap(place):
    lanes = [
        shapely.Polygon(lane.polygon) for lane in place.vector_map.lanes.values() if not lane.is_connector
    ]
    first, second = shapely.STRtree(lanes).query(lanes, predicate="intersects")
    for a, b in zip(first, second, strict=True):
        if a < b:
            assert lanes[a].intersection(lanes[b]).area < 0.02


def test_drivable_area_covers_all_lanes(place):
    drivable, _ = drivable_areas(place.vector_map, place.route)
    for lane in place.vector_map.lanes.values():
        assert shapely.Polygon(lane.polygon).difference(drivable).area < 0.02


def test_connectors_connect(place):
    for lane in place.vector_map.lanes.values():
        if lane.is_connector:
            assert len(lane.successors) == len(lane.predecessors) == 1


def test_route_leads_to_the_edge_of_the_map(place):
    lanes = place.vector_map.lanes
    assert not lanes[place.route_lanes[-1]].successors
    assert not lanes[place.route_lanes[0]].predecessors
    line = route_centerline(place.vector_map, place.route, polyline.sample(place.ego_line, place.start + 5.0))
    assert np.allclose(line[-1], place.ego_line[-1])


def test_speed_limits_are_plausible(place):
    for lane in place.vector_map.lanes.values():
        assert 5.0 < lane.speed_limit < 30.0


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
    assert {family for family, _ in CASES} == set(places.FAMILIES)


@pytest.mark.parametrize("control", ["two_way", "all_way"])
def test_stop_signs_are_named_stop_lines_without_lights(control):
    place = places.stop_crossing(np.random.default_rng(1), control=control)
    names = [area.id for area in place.vector_map.areas_of(AreaKind.STOP_LINE)]
    assert names
    assert all(name.startswith("stop_sign") for name in names)
    assert not place.controlled
    arms = {lane.split("_")[0] for lane in place.signed}
    assert arms == ({"east", "west"} if control == "two_way" else set(places.ARM_NAMES))


def test_grid_has_a_light_for_every_approach():
    place = places.grid(np.random.default_rng(2), "lights")
    assert len(place.controlled) == 16
    for approach, entries in place.controlled.items():
        corner, arm = approach.split(".")
        assert corner in "abcd"
        assert arm in places.ARM_NAMES
        assert entries
        assert all(np.isfinite(point).all() for _, point in entries)


def test_ring_is_a_circle_that_goes_round():
    place = places.roundabout(np.random.default_rng(3))
    lanes, lane_id, turned = place.vector_map.lanes, "ring0_f0", 0.0
    for _ in range(2 * place.facts["arms"]):
        lane = lanes[lane_id]
        assert np.hypot(*lane.centerline.T) == pytest.approx(place.facts["radius"], abs=0.3)
        heading = np.unwrap(polyline.headings(lane.centerline))
        turned += heading[-1] - heading[0]
        lane_id = next(name for name in lane.successors if "ring" in name.split("__")[-1])
    assert lane_id == "ring0_f0"
    assert turned == pytest.approx(2.0 * np.pi, abs=0.5)


def test_closed_lane_is_blocked_and_the_next_one_is_not():
    place = places.lane_closure(np.random.default_rng(4), in_closed_lane=True)
    _, offset = polyline.project(place.ego_line, np.array([item.pose[:2] for item in place.furniture]))
    assert (np.abs(offset) < 1.8).all()
    assert np.abs(offset).min() < 0.3
    beside = places.lane_closure(np.random.default_rng(4), in_closed_lane=False)
    _, offset = polyline.project(beside.ego_line, np.array([item.pose[:2] for item in beside.furniture]))
    assert np.abs(offset).min() > 1.8


def test_acceleration_lane_ends_and_deceleration_lane_begins():
    merge = places.highway_merge(np.random.default_rng(5), acceleration_lane=80.0)
    extra = f"main1_f{merge.facts['lanes']}"
    lane = merge.vector_map.lanes[extra]
    assert polyline.arc_length(lane.centerline)[-1] == pytest.approx(80.0)
    assert lane.predecessors == (f"ramp_f0__{extra}",)
    assert len(lane.successors) == 1
    leave = places.highway_exit(np.random.default_rng(5))
    lane = leave.vector_map.lanes[f"main1_f{leave.facts['lanes']}"]
    assert lane.successors == (f"{lane.id}__ramp_f0",)
