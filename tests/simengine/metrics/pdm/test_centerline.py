"""The centre line: lane paths through the route, and driven paths."""

import numpy as np
import pytest

from simengine.datatypes.map import Lane, VectorMap
from simengine.metrics.pdm.centerline import path_centerline, route_centerline, route_lanes


def lane(name: str, points: list, after: tuple[str, ...] = (), block: str = "") -> Lane:
    return Lane(name, np.array(points, dtype=float), np.zeros((0, 2)), roadblock_id=block, successors=after)


def forked_map() -> VectorMap:
    lanes = [
        lane("start", [[0, 0], [10, 0]], ("long", "short"), "r1"),
        lane("long", [[10, 0], [15, 20], [20, 0]], ("end",), "r2"),
        lane("short", [[10, 0], [20, 0]], ("end",), "r2"),
        lane("end", [[20, 0], [30, 0]], (), "r3"),
        lane("back", [[30, 1], [0, 1]], (), "r1"),
    ]
    return VectorMap(lanes={x.id: x for x in lanes})


def test_takes_the_shorter_branch_and_keeps_shared_vertices() -> None:
    line = route_centerline(forked_map(), ("r1", "r2", "r3"), np.array([1.0, 0.2, 0.0]))
    np.testing.assert_array_equal(line, [[0, 0], [10, 0], [10, 0], [20, 0], [20, 0], [30, 0]])


def test_starts_on_the_lane_with_the_right_heading() -> None:
    line = route_centerline(forked_map(), ("r1", "r2", "r3"), np.array([1.0, 0.6, np.pi]))
    np.testing.assert_array_equal(line, [[30, 1], [0, 1]])


def test_a_route_that_cannot_be_finished_goes_as_deep_as_it_can() -> None:
    line = route_centerline(forked_map(), ("r1", "r2", "nowhere"), np.array([1.0, 0.2, 0.0]))
    np.testing.assert_array_equal(line[-1], [20, 0])


def test_lane_ids_are_a_route_too() -> None:
    assert set(route_lanes(forked_map(), ("start", "end"))) == {"start", "end"}
    assert route_centerline(forked_map(), ("unknown",), np.zeros(3)) is None


def test_driven_paths_go_on_straight() -> None:
    line = path_centerline(np.array([[0.0, 0, 0], [0, 0, 0], [3, 4, 0]]), 5.0)
    np.testing.assert_allclose(line, [[-3, -4], [0, 0], [3, 4], [6, 8]], atol=1e-12)
    assert path_centerline(np.zeros((9, 3)), 5.0) is None


@pytest.mark.parametrize("count", [1, 2])
def test_cycles_end(count: int) -> None:
    loop = {"a": lane("a", [[0, 0], [5, 0]], ("a", "b")), "b": lane("b", [[5, 0], [0, 0]], ("a",))}
    line = route_centerline(VectorMap(lanes=loop), ("a", "b", "c")[:count], np.zeros(3))
    assert len(line) == 2 * count
