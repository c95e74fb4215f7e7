"""Routes that start elsewhere, have holes or cross themselves."""

import numpy as np
import pytest

from oracles import pdm_closed as oracle
from simengine.datatypes.map import Lane, VectorMap
from simengine.pdm_closed.roads import Block, RoadNetwork, road_network
from simengine.pdm_closed.route_correction import correct_route, search_blocks, start_blocks


def chain(names, links, start=0.0, y=0.0, connectors=()):
    """Return lanes of 10 m, one after the other along +x; blocks have the names of their lanes."""
    lanes = {}
    for k, name in enumerate(names):
        x = start + 10.0 * k + np.linspace(0.0, 10.0, 6)
        line = np.stack([x, np.full(6, y)], axis=1)
        lanes[name] = Lane(
            name,
            line,
            np.zeros((0, 2)),
            is_connector=name in connectors,
            successors=tuple(links.get(name, ())),
        )
    return lanes


def network(*lanes):
    return road_network(VectorMap(lanes={k: lane for group in lanes for k, lane in group.items()}))


STRAIGHT = {"a": ["b"], "b": ["c"], "c": ["d"], "d": ["e"]}


def straight():
    return network(chain("abcde", STRAIGHT))


def pose(x, y=0.0, yaw=0.0):
    return np.array([x, y, yaw])


def test_a_route_under_the_ego_stays():
    assert correct_route(straight(), ["b", "c"], pose(15.0)) == ("b", "c")


def test_an_ego_behind_the_route_is_led_to_it():
    assert correct_route(straight(), ["d", "e"], pose(5.0)) == ("a", "b", "c", "d", "e")


def test_an_ego_beside_the_route_joins_it_where_it_can():
    side = chain(["s", "t"], {"s": ["t"], "t": ["d"]}, start=10.0, y=20.0)
    roads = network(chain("abcde", STRAIGHT), side)
    assert correct_route(roads, list("abcde"), pose(12.0, 20.0))[0] == "a", "only three blocks are looked at"
    assert correct_route(roads, ["b", "c", "d", "e"], pose(12.0, 20.0)) == ("s", "t", "d", "e")


def test_an_ego_that_cannot_reach_the_route_keeps_it():
    roads = network(chain("abcde", STRAIGHT), chain(["s"], {}, start=10.0, y=20.0))
    assert correct_route(roads, ["a", "b"], pose(12.0, 20.0)) == ("a", "b")


def test_holes_are_filled():
    assert correct_route(straight(), ["a", "d", "e"], pose(5.0)) == ("a", "b", "c", "d", "e")


def test_holes_without_a_way_stay():
    roads = network(chain("abc", {"a": ["b"]}))
    assert correct_route(roads, ["a", "b", "c"], pose(5.0)) == ("a", "b", "c")


def test_a_route_ends_where_it_would_cross_a_junction_again():
    links = {"a": ["x"], "x": ["b"], "b": ["y"], "y": ["c"]}
    roads = network(
        chain(["a"], links),
        chain(["x"], links, start=10.0, connectors="x"),
        chain(["b"], links, start=20.0),
        chain(["y"], links, start=12.0, connectors="y"),
        chain(["c"], links, start=40.0),
    )
    assert correct_route(roads, ["a", "x", "b", "y", "c"], pose(5.0)) == ("a", "x", "b")


def test_the_start_needs_the_right_heading():
    back = {"z": Lane("z", np.array([[40.0, 1.0], [20.0, 1.0], [0.0, 1.0]]), np.zeros((0, 2)))}
    roads = network(chain("abcde", STRAIGHT), back)
    assert start_blocks(roads, ["a"], pose(22.2, 0.9, np.pi))[0] == "z"
    assert start_blocks(roads, ["a"], pose(22.2, 0.9, 0.0))[0] == "c"


def test_an_ego_off_the_map_starts_at_the_nearest_block():
    assert start_blocks(straight(), ["a"], pose(25.0, 60.0))[0] == "c"


@pytest.mark.parametrize("forward", [True, False])
def test_the_search_finds_the_path_of_the_plain_one(forward):
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(600):
        names = [f"n{i}" for i in range(rng.integers(6, 18))]
        out = {i: tuple(rng.permutation(names)[: rng.integers(1, 4)]) for i in names}
        into = {i: tuple(j for j in names if i in out[j]) for i in names}
        blocks = {i: Block(i, (), None, False, out[i], into[i]) for i in names}
        start, targets, depth = names[0], set(rng.choice(names, 1)), int(rng.integers(3, 9))
        path = search_blocks(RoadNetwork(VectorMap(), {}, blocks), start, targets, depth, forward)
        expected = oracle.search_blocks(out if forward else into, start, targets, depth)
        if expected is not None and not forward:
            expected = expected[::-1]
        assert path == expected
        found += path is not None and len(path) > 3
    assert found > 50, "the graphs have paths to find"
