"""Routes as lines, and the driving command."""

import numpy as np
import pytest

from factories import make_straight_map
from oracles import pdm_closed as oracle
from simengine.datatypes.map import Lane, VectorMap
from simengine.datatypes.observation import DrivingCommand
from simengine.map.route import (
    cheapest_path,
    driving_commands,
    path_centerline,
    route_centerline,
    route_lanes,
)


def fork() -> VectorMap:
    """Return a lane along +x that splits at x = 20 into a left and a straight one."""
    x = np.linspace(0, 20, 11)
    turn = np.linspace(0, np.pi / 2, 12)
    arc = np.stack([20 + 10 * np.sin(turn), 10 - 10 * np.cos(turn)], axis=1)
    lanes = {
        "in": Lane("in", np.stack([x, 0 * x], 1), np.zeros((0, 2)), successors=("left", "ahead")),
        "left": Lane("left", arc, np.zeros((0, 2)), predecessors=("in",)),
        "ahead": Lane("ahead", np.stack([x + 20, 0 * x], 1), np.zeros((0, 2)), predecessors=("in",)),
    }
    return VectorMap(lanes=lanes)


@pytest.mark.parametrize(
    ("route", "end", "command"),
    [
        (("in", "left"), (30.0, 10.0), DrivingCommand.LEFT),
        (("in", "ahead"), (40.0, 0.0), DrivingCommand.FORWARD),
    ],
)
def test_the_route_decides_at_a_fork(route, end, command):
    pose = np.array([12.0, 0.3, 0.0])
    line = route_centerline(fork(), route, pose)
    np.testing.assert_allclose(line[-1], end, atol=1e-9)
    assert driving_commands(line, pose[None]) == [command]


def test_a_mirrored_turn_is_a_right_turn():
    line = route_centerline(fork(), ("in", "left"), np.array([12.0, 0.0, 0.0])) * [1, -1]
    assert driving_commands(line, np.array([[12.0, 0.0, 0.0]])) == [DrivingCommand.RIGHT]


def test_commands_of_many_poses_are_those_of_each():
    line = route_centerline(fork(), ("in", "left"), np.array([2.0, 0.0, 0.0]))
    poses = np.array([[-20.0, 0.0, 0.0], [12.0, 0.3, 0.0], [12.0, 0.3, 2.0]])
    expected = [DrivingCommand.FORWARD, DrivingCommand.LEFT, DrivingCommand.RIGHT]
    assert driving_commands(line, poses).tolist() == expected
    assert [driving_commands(line, pose[None])[0] for pose in poses] == expected


def test_the_lane_under_the_ego_starts_the_route():
    vector_map = make_straight_map()
    line = route_centerline(vector_map, ("road",), np.array([0.0, 3.4, 0.0]))
    np.testing.assert_allclose(line[:, 1], 3.5)


def test_unknown_route_names_are_skipped():
    vector_map = make_straight_map()
    assert list(route_lanes(vector_map, ("elsewhere", "road"))) == ["lane_0", "lane_1"]
    assert route_centerline(vector_map, ("elsewhere",), np.zeros(3)) is None
    assert route_centerline(VectorMap(), (), np.zeros(3)) is None


def lane(name: str, points: list, after: tuple[str, ...] = (), block: str = "") -> Lane:
    return Lane(name, np.array(points, dtype=float), np.zeros((0, 2)), roadblock_id=block, successors=after)


def two_branches() -> VectorMap:
    lanes = [
        lane("start", [[0, 0], [10, 0]], ("long", "short"), "r1"),
        lane("long", [[10, 0], [15, 20], [20, 0]], ("end",), "r2"),
        lane("short", [[10, 0], [20, 0]], ("end",), "r2"),
        lane("end", [[20, 0], [30, 0]], (), "r3"),
        lane("back", [[30, 1], [0, 1]], (), "r1"),
    ]
    return VectorMap(lanes={x.id: x for x in lanes})


def test_takes_the_shorter_branch_and_keeps_shared_vertices() -> None:
    line = route_centerline(two_branches(), ("r1", "r2", "r3"), np.array([1.0, 0.2, 0.0]))
    np.testing.assert_array_equal(line, [[0, 0], [10, 0], [10, 0], [20, 0], [20, 0], [30, 0]])


def test_starts_on_the_lane_with_the_right_heading() -> None:
    line = route_centerline(two_branches(), ("r1", "r2", "r3"), np.array([1.0, 0.6, np.pi]))
    np.testing.assert_array_equal(line, [[30, 1], [0, 1]])


def test_a_route_that_cannot_be_finished_goes_as_deep_as_it_can() -> None:
    line = route_centerline(two_branches(), ("r1", "r2", "nowhere"), np.array([1.0, 0.2, 0.0]))
    np.testing.assert_array_equal(line[-1], [20, 0])


def test_lane_ids_are_a_route_too() -> None:
    assert set(route_lanes(two_branches(), ("start", "end"))) == {"start", "end"}
    assert route_centerline(two_branches(), ("unknown",), np.zeros(3)) is None


def test_driven_paths_go_on_straight() -> None:
    line = path_centerline(np.array([[0.0, 0, 0], [0, 0, 0], [3, 4, 0]]), 5.0)
    np.testing.assert_allclose(line, [[-3, -4], [0, 0], [3, 4], [6, 8]], atol=1e-12)
    assert path_centerline(np.zeros((9, 3)), 5.0) is None


@pytest.mark.parametrize("count", [1, 2])
def test_cycles_end(count: int) -> None:
    loop = {"a": lane("a", [[0, 0], [5, 0]], ("a", "b")), "b": lane("b", [[5, 0], [0, 0]], ("a",))}
    line = route_centerline(VectorMap(lanes=loop), ("a", "b", "c")[:count], np.zeros(3))
    assert len(line) == 2 * count


def test_the_cheapest_path_is_that_of_plain_lists():
    rng = np.random.default_rng(9)
    reached = ties = 0
    for _ in range(400):
        names = [f"n{i}" for i in range(rng.integers(5, 12))]
        successors = {i: list(rng.permutation(names)[: rng.integers(0, 4)]) for i in names}
        # Few different prices make many ties.
        cost = {i: float(rng.integers(1, 4)) for i in names}
        goals = frozenset(rng.choice(names[1:], 1)) if rng.random() < 0.8 else frozenset()
        path = cheapest_path(names[0], goals, successors, cost)
        assert path == oracle.cheapest_path(names[0], goals, successors, cost)
        reached += path[-1] in goals
        ties += path != cheapest_path(names[0], goals, {i: s[::-1] for i, s in successors.items()}, cost)
    assert reached > 100
    assert ties > 5, "the order of successors decides between equals"
