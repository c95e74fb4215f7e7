from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from simengine.datatypes.map import Lane
from simengine.scenario.drivable import from_lanes, from_outlines, to_edges
from simengine.scenario.kinematics import derivative, masked_derivative, valid_runs
from simengine.scenario.lane_graph import (
    find_neighbours,
    find_successors,
    group_roadblocks,
    intersections,
    with_links,
)
from simengine.scenario.lane_shapes import clean_widths, plain_rings, ribbon, ribbon_ring
from simengine.scenario.route_finding import route_of_drive

X = np.arange(0.0, 60.0, 3.0)


def _line(y: float, x: np.ndarray = X) -> np.ndarray:
    return np.stack([x, np.full(len(x), y)], 1)


def _lanes(**lines: np.ndarray) -> dict[str, Lane]:
    width = np.full(1, 1.75)
    made = {
        key: Lane(key, line, ribbon_ring(line, width.repeat(len(line)), width.repeat(len(line))))
        for key, line in lines.items()
    }
    following = find_successors(lines)
    return with_links(
        {key: replace(lane, successors=following[key]) for key, lane in made.items()},
        find_neighbours(lines),
    )


def test_a_ribbon_of_a_tight_bend_has_no_fold():
    angle = np.linspace(0, np.pi, 30)
    bend = np.stack([np.cos(angle), np.sin(angle)], 1)
    shape = ribbon(bend, np.full(30, 1.75), np.full(30, 1.75))
    assert shape.is_valid
    assert all(shape.distance(shapely.Point(p)) < 1e-9 for p in bend)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_rings_without_holes_cover_the_same_ground(seed):
    rng = np.random.default_rng(seed)
    shape = shapely.box(0, 0, 100, 60)
    for x, y, size in rng.uniform([5, 5, 1], [95, 55, 8], (rng.integers(0, 9), 3)):
        shape = shape.difference(shapely.box(x, y, x + size, y + size))
    rings = [shapely.Polygon(ring) for ring in plain_rings(shape, tolerance=0.0)]
    assert all(ring.is_valid for ring in rings)
    # Seams overlap by 1 cm; holes below 1 m^2 are filled on purpose.
    union = shapely.union_all(rings)
    assert union.difference(shape).area < 9.0 and shape.difference(union).area < 1e-6


def test_implausible_widths_are_replaced():
    found = clean_widths(np.array([0.0, 1.6, 70.0, 1.8]), 4)
    np.testing.assert_allclose(found, [1.7, 1.6, 1.7, 1.8])
    np.testing.assert_allclose(clean_widths(np.zeros(3), 3, neighbour=1.5), 1.5)
    np.testing.assert_allclose(clean_widths(None, 2), 1.75)


def test_neighbours_are_parallel_and_on_the_right_side():
    found = find_neighbours({"a": _line(0), "b": _line(3.4), "back": _line(-3.4)[::-1], "far": _line(9)})
    assert [(n.lane_id, round(n.distance, 3)) for n in found["a"]] == [("b", 3.4)]
    assert [(n.lane_id, round(n.distance, 3)) for n in found["b"]] == [("a", -3.4)]
    assert found["back"] == [] and found["far"] == []


def test_roadblocks_hold_lanes_side_by_side_but_never_in_a_row():
    lanes = _lanes(a=_line(0), b=_line(3.5), c=_line(0, X + 57), oncoming=_line(-3.5)[::-1])
    named, blocks = group_roadblocks(
        lanes, find_neighbours({i: lane.centerline for i, lane in lanes.items()})
    )
    assert lanes["a"].successors == ("c",)
    assert named["a"].roadblock_id == named["b"].roadblock_id
    assert len(blocks) == 3
    both = shapely.Polygon(blocks[named["a"].roadblock_id].polygon)
    assert both.area == pytest.approx(57 * 7.0, rel=0.01)


def test_the_route_follows_the_drive_and_then_the_straightest_way():
    left = np.stack([114 + 10 * np.sin(np.linspace(0, 1.5, 9)), 10 * (1 - np.cos(np.linspace(0, 1.5, 9)))], 1)
    lanes = _lanes(a=_line(0), b=_line(3.5), c=_line(0, X + 57), d=_line(0, X + 114), left=left)
    x = np.arange(2.0, 100.0, 1.0)
    path = np.stack([x, np.full(len(x), 0.2), np.zeros(len(x))], 1)
    assert route_of_drive(lanes, path) == ("a", "c", "d")
    assert route_of_drive(lanes, path, preferred={"left"})[-1] == "left"
    assert route_of_drive({}, path) == ()


def test_a_drive_between_two_lanes_changes_once():
    lanes = _lanes(a=_line(0), b=_line(3.5))
    x = np.arange(2.0, 55.0, 1.0)
    y = 3.5 / (1 + np.exp(-(x - 30) / 3))
    path = np.stack([x, y, np.arctan(np.gradient(y, x))], 1)
    assert route_of_drive(lanes, path) == ("a", "b")


def test_lanes_reach_to_the_road_edge_and_not_beyond():
    half = np.full(len(X), 1.75)
    edges = [_line(3.0), _line(-30.0)]
    shape = to_edges([(_line(0), half, half)], edges, shapely.Polygon())
    assert shape.covers(shapely.Point(30, 2.95)) and not shape.covers(shapely.Point(30, 3.05))
    # No edge within reach on the right: the lane and half a metre.
    assert shape.covers(shapely.Point(30, -2.2)) and not shape.covers(shapely.Point(30, -2.3))


def test_a_median_between_two_carriageways_stays_undrivable():
    half = np.full(len(X), 1.75)
    strips = [(_line(0), half, half), (_line(7.0)[::-1], half, half)]
    shape = to_edges(strips, [_line(3.0), _line(4.0)], shapely.Polygon())
    assert not shape.covers(shapely.Point(30, 3.5))
    assert shape.covers(shapely.Point(30, 2.9)) and shape.covers(shapely.Point(30, 4.1))


def test_outlines_keep_only_faces_with_lanes():
    outer = np.array([[0, 0], [60, 0], [60, 20], [0, 20], [0, 0.0]])
    island = np.array([[20, 12], [30, 12], [30, 18], [20, 18], [20, 12.0]])
    shape = from_outlines([outer, island], [_line(5)])
    assert shape.area == pytest.approx(60 * 20 - 60)
    assert from_outlines([outer], []).is_empty


def test_gaps_between_lanes_are_filled():
    shape = from_lanes([plain_rings(shapely.box(0, 0, 50, 3))[0], plain_rings(shapely.box(0, 4.5, 50, 8))[0]])
    assert shape.covers(shapely.Point(25, 3.75))
    assert shape.bounds == pytest.approx((-0.5, -0.5, 50.5, 8.5), abs=0.01)


def test_derivatives_are_exact_on_parabolas_and_keep_to_valid_runs():
    t = np.arange(30) * 0.1
    values = np.stack([3 * t**2 + t, -t], 1)
    np.testing.assert_allclose(derivative(values, 0.1), np.stack([6 * t + 1, -np.ones(30)], 1), atol=1e-9)
    valid = np.ones(30, bool)
    valid[10:13] = False
    broken = np.where(valid[:, None], values, 1e6)
    found = masked_derivative(broken, valid, 0.1)
    np.testing.assert_allclose(found[valid], derivative(values, 0.1)[valid], atol=1e-9)
    assert (found[~valid] == 0).all()
    assert valid_runs(valid) == [(0, 10), (13, 30)]
    assert derivative(np.zeros((1, 2)), 0.1).shape == (1, 2)
    np.testing.assert_allclose(derivative(np.array([[0.0], [1.0]]), 0.5), 2.0)


def test_a_junction_is_where_connectors_cross():
    across = np.stack([np.full(20, 30.0), np.arange(-30.0, 30.0, 3.0)], 1)
    lanes = _lanes(a=_line(0), b=_line(0, X + 57), across=across)
    connectors = {i: replace(lane, is_connector=True) for i, lane in lanes.items()}
    area = shapely.union_all([shapely.Polygon(x.polygon) for x in intersections(connectors)])
    assert area.covers(shapely.Point(30, 0)) and not area.intersects(shapely.Point(90, 0))
    assert intersections(lanes) == []
    assert intersections({"a": connectors["a"], "b": connectors["b"]}) == []
