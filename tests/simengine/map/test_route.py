"""Routes as lines, and the driving command."""

import numpy as np
import pytest

from factories import make_straight_map
from simengine.datatypes.map import Lane, VectorMap
from simengine.datatypes.observation import DrivingCommand
from simengine.map.route import driving_command, route_centerline, route_lanes, starting_lane


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
    assert driving_command(line, pose) == command


def test_a_mirrored_turn_is_a_right_turn():
    line = route_centerline(fork(), ("in", "left"), np.array([12.0, 0.0, 0.0])) * [1, -1]
    assert driving_command(line, np.array([12.0, 0.0, 0.0])) == DrivingCommand.RIGHT


def test_the_lane_under_the_ego_starts_the_route():
    vector_map = make_straight_map()
    line = route_centerline(vector_map, ("road",), np.array([0.0, 3.4, 0.0]))
    np.testing.assert_allclose(line[:, 1], 3.5)


def test_the_starting_lane_heads_the_same_way():
    forward = Lane("f", np.array([[0.0, 0.0], [50.0, 0.0]]), np.zeros((0, 2)))
    backward = Lane("b", np.array([[50.0, 0.2], [0.0, 0.2]]), np.zeros((0, 2)))
    assert starting_lane([backward, forward], np.array([10.0, 0.2, 0.0])) is forward


def test_unknown_route_names_are_skipped():
    vector_map = make_straight_map()
    assert [lane.id for lane in route_lanes(vector_map, ("elsewhere", "road"))] == ["lane_0", "lane_1"]
    assert route_centerline(vector_map, ("elsewhere",), np.zeros(3)) is None
    assert route_centerline(VectorMap(), (), np.zeros(3)) is None
