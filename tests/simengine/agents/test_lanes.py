"""Which lane is under a vehicle, and which way it goes at forks."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from simengine.agents.lanes import LaneGraph, bend, hashed, hashed_fork, on_route, straightest
from simengine.datatypes.map import VectorMap
from traffic_factories import ARMS, Roads, make_crossing


def names(chain):
    return [lane.id for lane in chain]


def test_nearest_lane_fits_place_and_direction():
    graph = LaneGraph(make_crossing())
    # East arm, 50 m out: traffic keeps right, so inbound (heading west) is on the north side.
    assert graph.nearest(np.array([50.0, 1.0, np.pi])) == "east_in"
    assert graph.nearest(np.array([50.0, 1.0, 0.0])) == "east_out"
    assert graph.nearest(np.array([50.0, 0.0, 0.5 * np.pi])) is None
    assert graph.nearest(np.array([50.0, 20.0, np.pi])) is None


def test_a_map_without_lanes_knows_none():
    graph = LaneGraph(VectorMap())
    assert graph.nearest(np.zeros(3)) is None
    poses, limits = graph.extend(np.array([1.0, 2.0, 0.5 * np.pi]), 30.0)
    assert poses[-1] == pytest.approx([1.0, 2.0 + 29.0, 0.5 * np.pi])
    assert np.isnan(limits).all()


def test_straightest_is_the_default():
    graph = LaneGraph(make_crossing())
    assert names(graph.chain("south_in", 200.0)) == ["south_in", "south_in>north_out", "north_out"]


def test_hashed_forks_spread_and_repeat():
    graph = LaneGraph(make_crossing())
    ways = [names(graph.chain("south_in", 200.0, hashed_fork(0, "scene", f"car_{k}")))[-1] for k in range(60)]
    assert set(ways) == {"north_out", "east_out", "west_out"}
    # Three ways for sixty cars: twenty each, give or take four standard deviations (3.65 each).
    assert all(5 < ways.count(way) < 35 for way in set(ways))
    again = [
        names(graph.chain("south_in", 200.0, hashed_fork(0, "scene", f"car_{k}")))[-1] for k in range(60)
    ]
    other = [
        names(graph.chain("south_in", 200.0, hashed_fork(1, "scene", f"car_{k}")))[-1] for k in range(60)
    ]
    assert ways == again
    assert ways != other


def test_hashed_forks_do_not_depend_on_the_order_of_lanes():
    vector_map = make_crossing()
    turned = {
        k: replace(lane, successors=lane.successors[::-1]) for k, lane in reversed(vector_map.lanes.items())
    }
    other = replace(vector_map, lanes=turned)
    for k in range(10):
        rule = hashed_fork("car", k)
        one, two = (LaneGraph(m).chain("west_in", 150.0, rule) for m in (vector_map, other))
        assert names(one) == names(two)


def test_hash_is_the_same_in_every_process():
    assert hashed("a", 1) == hashed("a", 1)
    assert hashed("a", 1) != hashed("a1")
    code = "from simengine.agents.lanes import hashed; print(hashed('a', 1))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == hashed("a", 1)


def test_nobody_turns_round_where_there_is_another_way():
    roads = Roads()
    for name, angle in ARMS.items():
        roads.arm(name, angle, 12.0)
    for end in ARMS:
        roads.connect("south_in", f"{end}_out")
    graph = LaneGraph(roads.build())
    ends = {names(graph.chain("south_in", 200.0, hashed_fork(k)))[-1] for k in range(40)}
    assert ends == {"north_out", "east_out", "west_out"}


def test_a_loop_is_left_after_one_round():
    roads = Roads()
    turn = np.linspace(0.0, 1.5 * np.pi, 40)[:, None]
    roads.lane("loop", 20.0 * np.concatenate([np.cos(turn), np.sin(turn)], axis=1))
    roads.connect("loop", "loop")
    graph = LaneGraph(roads.build())
    assert names(graph.chain("loop", 1000.0)) == ["loop", "loop>loop"]


def test_route_rule_stays_on_the_route():
    graph = LaneGraph(make_crossing())
    assert (
        names(graph.chain("south_in", 200.0, on_route(("south_in>west_out", "west_out"))))[-1] == "west_out"
    )
    assert names(graph.chain("south_in", 200.0, on_route(())))[-1] == "north_out"


def test_bend_is_signed():
    lanes = make_crossing().lanes
    # The last segment has no turn of its own, so a little less than a quarter.
    assert 1.4 < bend(lanes["south_in>west_out"]) <= 0.5 * np.pi
    assert -0.5 * np.pi <= bend(lanes["south_in>east_out"]) < -1.4
    assert straightest(lanes["south_in"], [lanes["south_in>west_out"], lanes["south_in>north_out"]]).id == (
        "south_in>north_out"
    )


def test_extension_fades_onto_the_lane_and_tells_its_limits():
    roads = Roads()
    x = np.arange(0.0, 101.0, 5.0)
    roads.lane("slow", np.column_stack([x, np.zeros_like(x)]), limit=8.0)
    roads.lane("fast", np.column_stack([x + 100.0, np.zeros_like(x)]), limit=14.0)
    roads.link("slow", "fast")
    poses, limits = LaneGraph(roads.build()).extend(np.array([50.0, 1.0, 0.0]), 120.0)
    assert poses[-1, :2] == pytest.approx([169.0, 0.0])
    assert 0.0 < poses[5, 1] < 1.0
    assert limits[poses[:, 0] < 99.0] == pytest.approx(8.0)
    assert limits[poses[:, 0] > 101.0] == pytest.approx(14.0)
