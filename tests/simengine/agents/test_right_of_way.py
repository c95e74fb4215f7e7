"""Who goes first: each rule by itself, their order, and what maps and logs make of them."""

from dataclasses import replace

import numpy as np
import pytest

from simengine.agents.approaches import Approach
from simengine.agents.junctions import Junctions
from simengine.agents.lanes import LaneGraph
from simengine.agents.log_order import LogOrder
from simengine.agents.paths import make_path
from simengine.agents.right_of_way import TOGETHER, precedence
from simengine.agents.roster import make_roster
from simengine.datatypes.lights import TrafficLights
from traffic_factories import (
    ARMS,
    HISTORY,
    Roads,
    left_of,
    make_crossing,
    make_meeting,
    make_roundabout,
    unit,
)

NORTHBOUND = Approach(heading=0.5 * np.pi, turn=0.0, lane=True, through=True)
FROM_RIGHT = replace(NORTHBOUND, heading=np.pi)
FROM_LEFT = replace(NORTHBOUND, heading=0.0)
ONCOMING = replace(NORTHBOUND, heading=-0.5 * np.pi)


def first(a, b, merges=False, left_hand=False):
    sign, _ = precedence(a, b, merges, left_hand)
    opposite, _ = precedence(b, a, merges, left_hand)
    assert opposite == -sign
    return sign


def test_who_comes_from_the_near_side_goes_first():
    assert first(NORTHBOUND, FROM_RIGHT) == -1
    assert first(NORTHBOUND, FROM_LEFT) == 1
    assert first(NORTHBOUND, FROM_RIGHT, left_hand=True) == 1
    assert first(NORTHBOUND, FROM_LEFT, left_hand=True) == -1


def test_far_turns_wait_for_oncoming_traffic():
    left, right = replace(NORTHBOUND, turn=0.5 * np.pi), replace(NORTHBOUND, turn=-0.5 * np.pi)
    assert first(left, ONCOMING) == -1
    assert first(left, replace(ONCOMING, turn=-0.5 * np.pi), merges=True) == -1
    assert first(right, ONCOMING, left_hand=True) == -1
    assert first(right, replace(ONCOMING, turn=0.5 * np.pi), merges=True) == 1
    assert first(left, replace(ONCOMING, turn=0.5 * np.pi)) == 0


def test_turning_round_comes_last():
    assert first(replace(NORTHBOUND, turn=3.1), replace(ONCOMING, turn=0.5 * np.pi), merges=True) == -1


def test_turns_onto_a_road_give_way_to_it():
    assert first(replace(NORTHBOUND, turn=-0.5 * np.pi), replace(FROM_LEFT, turn=0.0), merges=True) == -1


def test_ramps_give_way_and_equals_go_as_they_come():
    road, ramp = NORTHBOUND, replace(NORTHBOUND, heading=0.5 * np.pi + 0.15, turn=-0.15)
    assert first(road, ramp, merges=True) == 1
    assert first(road, replace(NORTHBOUND, turn=0.02), merges=True) == 0


def test_a_road_that_ends_gives_way():
    assert first(NORTHBOUND, replace(FROM_RIGHT, through=False)) == 1


def test_signs_come_before_sides_and_the_ring_before_signs():
    assert first(replace(NORTHBOUND, stops=True), FROM_LEFT) == -1
    assert first(replace(NORTHBOUND, gives_way=True), FROM_LEFT) == -1
    assert first(NORTHBOUND, replace(FROM_RIGHT, signalled=True)) == -1
    assert first(replace(NORTHBOUND, ring=True, stops=True), FROM_RIGHT, merges=True) == 1


def test_all_way_stops_go_as_they_come_and_by_side_together():
    a, b = (replace(one, stops=True) for one in (NORTHBOUND, FROM_RIGHT))
    assert precedence(a, b, False, False) == (-1, TOGETHER)
    assert precedence(NORTHBOUND, FROM_RIGHT, False, False) == (-1, np.inf)


def test_lights_and_missing_maps_leave_crossing_traffic_to_who_comes_first():
    lit = [replace(one, signalled=True) for one in (NORTHBOUND, FROM_RIGHT)]
    assert first(*lit) == 0
    off_map = [replace(one, lane=False) for one in (NORTHBOUND, FROM_RIGHT)]
    assert first(*off_map) == 0
    assert first(off_map[0], replace(off_map[1], turn=0.5 * np.pi)) == 1


def logged(*passages):
    """Return a path of 100 m whose log was at (arc length, time) pairs."""
    x = np.arange(0.0, 101.0)
    path = make_path(np.column_stack([x, np.zeros_like(x), np.zeros_like(x)]), 10.0)
    return replace(path, log=np.array(passages))


def order_in_log(a, b, enter):
    return LogOrder([a, b], np.array([[0, 1]]), np.array([enter]), np.array([enter])).order[0]


def fit_side_by_side(a, b, enter, leave):
    return LogOrder([a, b], np.array([[0, 1]]), np.array([enter]), np.array([leave])).side_by_side[0]


def test_the_log_knows_the_order():
    early, late = logged((0.0, 0.0), (100.0, 10.0)), logged((0.0, 2.0), (100.0, 12.0))
    assert order_in_log(early, late, (50.0, 50.0)) == 1
    assert order_in_log(late, early, (50.0, 50.0)) == -1
    assert order_in_log(early, early, (50.0, 50.0)) == 0
    # 2 s apart, but the late one has 30 m less to go: 5 s against 4 s.
    assert order_in_log(early, late, (50.0, 20.0)) == -1


def test_the_log_says_nothing_about_those_who_do_not_meet():
    early, late = logged((0.0, 0.0), (100.0, 10.0)), logged((0.0, 20.0), (100.0, 30.0))
    assert order_in_log(early, late, (50.0, 50.0)) == 0
    assert order_in_log(early, make_path(early.poses, 10.0), (50.0, 50.0)) == 0


def test_who_was_still_on_his_way_comes_second():
    through, waiting = logged((0.0, 0.0), (100.0, 10.0)), logged((0.0, 0.0), (30.0, 3.0))
    assert order_in_log(through, waiting, (50.0, 40.0)) == 1
    assert order_in_log(waiting, through, (40.0, 50.0)) == -1
    assert order_in_log(waiting, waiting, (40.0, 40.0)) == 0


def test_who_was_there_together_is_in_nobodys_way():
    a, b = logged((0.0, 0.0), (100.0, 10.0)), logged((0.0, 1.0), (100.0, 11.0))
    assert fit_side_by_side(a, b, (40.0, 40.0), (60.0, 60.0))
    assert not fit_side_by_side(a, b, (40.0, 40.0), (48.0, 48.0))
    assert not fit_side_by_side(a, logged((0.0, 0.0)), (40.0, 40.0), (60.0, 60.0))


def rules_of(vector_map, *starts):
    scenario = make_meeting(vector_map, [(lane, 50.0, 8.0) for lane in starts])
    return make_roster(scenario).right_of_way


def winner(vector_map, one, two):
    """Return 0 or 1: who of two goes first by the rules of the map."""
    rules = rules_of(vector_map, one, two)
    assert len(rules.first) == 1
    sign = int(rules.first[0])
    return int(rules.conflicts.row[0, 0 if sign > 0 else 1]) if sign else None


def test_rules_of_a_map():
    ways = [("south", "north"), ("east", "west")]
    assert winner(make_crossing(ways), "south_in", "east_in") == 1
    assert winner(make_crossing(ways, side=-1.0), "south_in", "east_in") == 0
    assert winner(make_crossing(ways, stops=["east"]), "south_in", "east_in") == 0
    assert winner(make_crossing([("south", "west"), ("north", "south")]), "south_in", "north_in") == 1
    assert winner(make_crossing([("south", "west"), ("north", "west")]), "south_in", "north_in") == 1


def test_a_stem_gives_way_to_the_bar_of_a_t():
    arms = {k: ARMS[k] for k in ("east", "south", "west")}
    ways = [("south", "west"), ("west", "east"), ("east", "west")]
    # The stem comes from the right of who goes east, and waits nevertheless.
    rules = rules_of(make_crossing(ways, arms=arms), "south_in", "west_in")
    assert [
        int(row[0 if sign > 0 else 1]) for row, sign in zip(rules.conflicts.row, rules.first, strict=True)
    ] == [1]


def test_the_ring_is_found_and_has_precedence():
    vector_map = make_roundabout()
    junctions = Junctions(vector_map, LaneGraph(vector_map), TrafficLights.empty(1))
    assert junctions.rings == {f"{part}_{name}" for part in ("ring", "pass") for name in ARMS}
    scenario = make_meeting(
        vector_map, [("south_in", 50.0, 6.0), ("ring_west", 1.0, 6.0)], logged=HISTORY + 2
    )
    roster = make_roster(scenario)
    areas, ring = roster.right_of_way, roster.path_row[1]
    side = (areas.conflicts.row == ring).argmax(axis=1)
    met = int(np.argmin(areas.conflicts.enter[np.arange(len(side)), side]))
    assert areas.conflicts.row[met, 0 if areas.first[met] > 0 else 1] == ring


def test_a_block_of_streets_is_no_roundabout():
    roads, corners = Roads(), [(0.0, 0.0), (40.0, 0.0), (40.0, 40.0), (0.0, 40.0)]
    for k in range(4):
        start, end = np.array(corners[k]), np.array(corners[(k + 1) % 4])
        way = (end - start) / 40.0
        roads.lane(f"side_{k}", start + way * np.linspace(6.0, 34.0, 8)[:, None])
    for k in range(4):
        roads.connect(f"side_{k}", f"side_{(k + 1) % 4}")
    vector_map = roads.build()
    assert not Junctions(vector_map, LaneGraph(vector_map), TrafficLights.empty(1)).rings


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_side_of_driving_is_read_off_the_map(side):
    vector_map = make_crossing(side=side)
    assert Junctions(vector_map, LaneGraph(vector_map), TrafficLights.empty(1)).drives_left == (side < 0)


def test_stop_lines_are_signs_unless_they_say_otherwise_or_have_a_light():
    def signs(name, light=None):
        roads = Roads()
        for arm, angle in ARMS.items():
            roads.arm(arm, angle, 12.0)
        roads.connect("south_in", "north_out")
        roads.stop_line("south_in", 2.0, name)
        vector_map = roads.build()
        lights = TrafficLights.empty(1)
        if light:
            lights = TrafficLights((light,), np.zeros((1, 1), np.int8), np.full((1, 2), np.nan))
        junctions = Junctions(vector_map, LaneGraph(vector_map), lights)
        return junctions.stop_signs, junctions.give_way_signs

    stop, give_way = signs("stop_sign")
    # 2 m before the end of the lane, which ends 12 m from the centre; the band begins 0.2 m earlier.
    assert stop["south_in"] == pytest.approx(14.2 * unit(1.5 * np.pi) + 1.8 * left_of(1.5 * np.pi), abs=1e-6)
    assert not give_way
    assert signs("stop_line")[0]
    assert not signs("stop_traffic_light")[0]
    stops, yields = signs("stop_yield")
    assert not stops
    assert np.array_equal(yields["south_in"], stop["south_in"])
    assert not signs("stop_line", "south_in>north_out")[0]
