"""What traffic reads off map and log, compiled, against the slow and obvious way, to the last bit."""

import numpy as np
import pytest

from oracles import traffic_setup as oracle
from simengine.agents import nearest_lane
from simengine.agents.conflict_bodies import pieces, swept_half_width
from simengine.agents.conflict_search import WIDTH, find_areas
from simengine.agents.conflict_stops import stopping_places
from simengine.agents.junctions import Junctions, _circling
from simengine.agents.lane_ahead import project
from simengine.agents.lane_lines import LaneLines
from simengine.agents.lanes import LaneGraph, bend
from simengine.agents.log_order import LogOrder
from simengine.agents.overlaps import overlaps_in_log
from simengine.agents.path_shape import track_speed
from simengine.agents.paths import Path, PathSet, make_path
from simengine.agents.roster import make_roster
from simengine.datatypes.lights import TrafficLights
from simengine.geometry import polyline
from simengine.world.generate import generate
from traffic_factories import ARMS, make_crossing, make_meeting, make_roundabout


def wild_lines(rng, count):
    """Return polylines of all kinds: long, short, standing, with repeated vertices."""
    lines = []
    for k in range(count):
        steps = rng.normal(size=(rng.integers(2, 40), 2)) * (0.0, 1e-7, 0.3, 3.0)[k % 4]
        line = np.cumsum(steps, axis=0) + rng.normal(scale=1e3, size=2)
        if k % 3 == 0 and len(line) > 4:
            line[1], line[-1] = line[0], line[-2]
        lines.append(line)
    return lines


def test_flat_lines_are_polylines():
    lines = wild_lines(np.random.default_rng(0), 200)
    flat, even = LaneLines.pack(lines), LaneLines.pack(lines).resampled(2.0)
    for k, line in enumerate(lines):
        own, other = slice(*flat.start[k : k + 2]), slice(*even.start[k : k + 2])
        assert np.array_equal(flat.s[own], polyline.arc_length(line))
        assert np.array_equal(flat.heading[own], polyline.headings(line))
        assert np.array_equal(even.points[other], polyline.resample(line, 2.0))
        assert flat.length[k] == polyline.arc_length(line)[-1]


def test_projection_is_that_of_polylines():
    rng = np.random.default_rng(1)
    for line in wild_lines(rng, 40):
        places = line[rng.integers(0, len(line), 9)] + rng.normal(size=(9, 2))
        expected, found = polyline.project(line, places), project(np.ascontiguousarray(line), places)
        assert np.array_equal(found[0], expected[0])
        assert np.array_equal(found[1], expected[1])


@pytest.mark.parametrize("seed", range(5))
def test_paths_are_those_of_plain_interpolation(seed):
    rng = np.random.default_rng(seed)
    turn = np.cumsum(rng.normal(scale=0.3, size=60)) + 3.0
    xy = np.cumsum(rng.uniform(0.1, 3.0, (60, 1)) * np.column_stack([np.cos(turn), np.sin(turn)]), axis=0)
    knots = np.column_stack([xy, (turn + np.pi) % (2.0 * np.pi) - np.pi])
    wanted, floor = rng.uniform(1.0, 15.0, 60), rng.uniform(0.0, 5.0, 60)
    path = make_path(knots, wanted, floor)
    poses, limit, step = oracle.make_path(knots, wanted, floor)
    assert np.array_equal(path.poses, poses)
    assert np.array_equal(path.limit, limit)
    assert path.step == step
    for count in (1, 2, 4, 30):
        frames = np.sort(rng.choice(200, count, replace=False))
        assert np.array_equal(
            track_speed(knots[:count], frames, 0.1), oracle.track_speed(knots[:count], frames, 0.1)
        )


MAPS = {
    "crossing": make_crossing,
    "signs": lambda: make_crossing(stops=ARMS),
    "left": lambda: make_crossing(side=-1.0),
    "roundabout": make_roundabout,
}


@pytest.mark.parametrize("name", MAPS)
def test_lanes_under_poses_are_those_of_the_tree(name):
    graph, rng = LaneGraph(MAPS[name]()), np.random.default_rng(3)
    # Vertices themselves are where lanes tie; elsewhere the grid has to answer.
    on_vertices = np.column_stack([graph.lines.points, graph.lines.heading])
    poses = np.concatenate(
        [np.column_stack([rng.uniform(-60, 60, (4000, 2)), rng.uniform(-np.pi, np.pi, 4000)]), on_vertices]
    )
    look_up = graph._nearest
    assert np.array_equal(look_up.lanes(poses, 3.0), look_up.lanes_by_tree(poses, 3.0))
    unsure = nearest_lane._look_up(
        look_up._points, look_up._heading, look_up._owner, *look_up._grid, poses, 3.0
    )
    assert (unsure == nearest_lane.UNSURE).mean() < 0.2
    # The lanes of a crossing begin where others end, those of the roundabout at an angle.
    assert (unsure == nearest_lane.UNSURE).any() == (name != "roundabout")


def test_in_a_crowd_of_lanes_the_tree_is_asked():
    rng = np.random.default_rng(0)
    lines = [np.array([[0.0, y], [30.0, y]]) for y in rng.uniform(-1.0, 1.0, 40)]
    look_up = nearest_lane.NearestLane(LaneLines.pack(lines).resampled(2.0))
    poses = np.column_stack(
        [rng.uniform(-5.0, 35.0, 300), rng.uniform(-4.0, 4.0, 300), rng.normal(0, 0.3, 300)]
    )
    assert np.array_equal(look_up.lanes(poses, 3.0), look_up.lanes_by_tree(poses, 3.0))


@pytest.mark.parametrize("name", MAPS)
def test_ways_ahead_are_those_of_polylines(name):
    graph, rng = LaneGraph(MAPS[name]()), np.random.default_rng(4)
    for lane_id in graph.ids:
        pose = polyline.sample(graph.lanes[lane_id].centerline, 1.0) + rng.normal(scale=0.1, size=3)
        under = graph.nearest(pose)
        if under is None:
            continue
        lanes = graph.chain(under, 260.0)
        for found, expected in zip(
            graph.extend(pose, 60.0), oracle.ahead_on_lanes(pose, lanes, 60.0), strict=True
        ):
            assert np.array_equal(found, expected)
        assert bend(graph.lanes[lane_id]) == oracle.bend(graph.lanes[lane_id])
        assert graph.bend[graph.row[lane_id]] == oracle.bend(graph.lanes[lane_id])


@pytest.mark.parametrize("name", MAPS)
def test_the_side_of_driving_is_that_of_all_pairs(name):
    vector_map = MAPS[name]()
    junctions = Junctions(vector_map, LaneGraph(vector_map), TrafficLights.empty(1))
    assert junctions.drives_left == oracle.drives_left(vector_map.lanes.values())


def test_signs_of_used_lanes_are_those_of_all():
    vector_map = make_crossing(stops=ARMS)
    graph, lights = LaneGraph(vector_map), TrafficLights.empty(1)
    every = Junctions(vector_map, graph, lights).stop_signs
    some = Junctions(vector_map, graph, lights, {"south_in", "south_out"}).stop_signs
    assert set(every) == {f"{arm}_in" for arm in ARMS}
    assert list(some) == ["south_in"]
    assert np.array_equal(some["south_in"], every["south_in"])


def test_loops_are_left_when_dead_ends_are_gone():
    ways = {"a": ["b"], "b": ["c", "x"], "c": ["a"], "x": ["y"], "y": [], "into": ["a"], "self": ["self"]}
    assert _circling(ways) == {"a": ["b"], "b": ["c"], "c": ["a"], "into": ["a"], "self": ["self"]}


def rosters():
    starts = [(f"{arm}_in", s, v) for arm in ARMS for s, v in ((45.0, 7.0), (15.0, 5.0))]
    for make in MAPS.values():
        yield make_meeting(make(), starts)
    yield generate("demo", 2)


@pytest.mark.parametrize("number", range(5))
def test_conflicts_are_those_of_all_pairs_of_rows(number):
    scenario = list(rosters())[number]
    roster = make_roster(scenario)
    coarse = PathSet.pack(roster.paths).every(4)
    rng = np.random.default_rng(number)
    half, long = rng.uniform(0.8, 1.3, len(coarse.count)), rng.uniform(3.0, 12.0, len(coarse.count))
    points, order = coarse.points.copy(), rng.permutation(len(coarse.count))
    points[:, WIDTH] = swept_half_width(coarse.flat, half, 0.5 * long)
    for p, (first, count) in enumerate(zip(coarse.start, coarse.count, strict=True)):
        own = slice(first, first + count)
        expected = oracle.swept_half_width(points[own, :3], coarse.step[p], half[p], 0.5 * long[p])
        assert np.array_equal(points[own, WIDTH], expected)
    table = pieces(coarse.flat, order)
    assert np.array_equal(table, oracle.pieces(coarse, order))
    start, count, owner, base = np.ascontiguousarray(table.T)
    found = find_areas(points, start, count, coarse.step[owner], owner, base)
    assert len(found)
    assert np.array_equal(found, oracle.find_areas(points, start, count, coarse.step[owner], owner, base))


@pytest.mark.parametrize("seed", range(5))
def test_stopping_places_are_those_of_plain_loops(seed):
    rng = np.random.default_rng(seed)
    row, enter, crosses = rng.integers(0, 6, 80), rng.uniform(0.0, 200.0, 80).round(), rng.random(80) < 0.7
    leave, length = enter + rng.uniform(1.0, 20.0, 80), rng.uniform(3.0, 12.0, 6)
    lines = [np.sort(rng.uniform(0.0, 200.0, k)) for k in range(6)]
    start = np.cumsum([0, *(len(one) for one in lines)])
    found = stopping_places(row, enter, leave, crosses, length, np.concatenate(lines), start)
    assert np.array_equal(found, oracle.stopping_places(row, enter, leave, crosses, length, lines))


def test_orders_in_the_log_are_those_of_single_pairs():
    rng = np.random.default_rng(0)
    poses, limit = np.zeros((2, 3)), np.zeros(2)
    paths = [Path(poses, limit, 1.0)] + [
        Path(poses, limit, 1.0, np.cumsum(rng.uniform(0.2, 8.0, (rng.integers(1, 12), 2)), axis=0))
        for _ in range(9)
    ]
    row = np.array([rng.choice(10, 2, replace=False) for _ in range(600)])
    enter = rng.uniform(0.0, 60.0, (600, 2))
    leave = enter + rng.uniform(0.0, 15.0, (600, 2))
    log = LogOrder(paths, row, enter, leave)
    pairs = [(paths[a], paths[b]) for a, b in row]
    order = [oracle.order_in_log(*pair, at) for pair, at in zip(pairs, enter, strict=True)]
    beside = [oracle.fit_side_by_side(*pair, a, b) for pair, a, b in zip(pairs, enter, leave, strict=True)]
    assert set(order) == {-1, 0, 1}
    assert 0 < sum(beside) < 600
    assert np.array_equal(log.order, order)
    assert np.array_equal(log.side_by_side, beside)


@pytest.mark.parametrize("index", [0, 4, 9])
def test_overlaps_are_those_of_all_pairs(index):
    scenario = generate("demo", index)
    # Boxes twice as large, so that some do overlap.
    tracks = scenario.agents
    tracks.size.flags.writeable = True
    tracks.size[:, :2] *= 2.0
    expected = oracle.overlaps_in_log(scenario)
    assert np.array_equal(overlaps_in_log(scenario), expected)
