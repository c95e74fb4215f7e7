import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from simengine.scenario.nuplan.rings import largest_outline, lines_of, outline, outlines

SQUARE = [(0, 0), (40, 0), (40, 30), (0, 30)]


def hole(x: float, y: float, size: float = 4.0) -> list[tuple[float, float]]:
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]


def contains_alike(polygon: Polygon, ring: np.ndarray, count: int = 20_000) -> float:
    """Return the share of random points on which polygon and ring disagree."""
    points = np.random.default_rng(1).uniform((-5, -5), (45, 35), (count, 2))
    return float(np.mean(shapely.contains_xy(polygon, points) != shapely.contains_xy(Polygon(ring), points)))


def test_a_plain_ring_comes_back_vertex_for_vertex():
    np.testing.assert_array_equal(outline(Polygon(SQUARE)), SQUARE)


def test_a_ring_that_crosses_itself_is_not_repaired():
    bow = [(0, 0), (10, 10), (10, 0), (0, 8)]
    assert not Polygon(bow).is_valid
    np.testing.assert_array_equal(outline(Polygon(bow)), bow)


def test_one_hole_becomes_part_of_the_outline():
    polygon = Polygon(SQUARE, [hole(10, 10)])
    ring = outline(polygon)
    assert Polygon(ring).is_valid
    assert abs(Polygon(ring).area - polygon.area) < 0.05
    assert not shapely.contains_xy(Polygon(ring), 12, 12)
    assert contains_alike(polygon, ring) < 1e-3


def test_many_holes_that_hide_each_other():
    places = [(5, 12), (12, 12), (19, 12), (26, 12), (12, 20), (19, 4)]
    polygon = Polygon(SQUARE, [hole(*place) for place in places])
    ring = outline(polygon)
    assert Polygon(ring).is_valid
    assert not Polygon(ring).interiors
    assert abs(Polygon(ring).area - polygon.area) < 0.2
    assert contains_alike(polygon, ring) < 1e-3


def test_a_hole_that_touches_the_outside():
    polygon = Polygon(SQUARE, [[(20, 0), (24, 6), (16, 6)]])
    ring = outline(polygon)
    assert abs(Polygon(ring).area - polygon.area) < 0.05
    assert contains_alike(polygon, ring) < 2e-3


def test_parts_of_a_multipolygon():
    small = Polygon(hole(60, 0))
    both = MultiPolygon([small, Polygon(SQUARE)])
    assert [len(ring) for ring in outlines(both)] == [4, 4]
    np.testing.assert_array_equal(largest_outline(both), SQUARE)
    assert largest_outline(None).shape == (0, 2)
    assert largest_outline(shapely.LineString([(0, 0), (1, 1)])).shape == (0, 2)


def test_lines_are_joined_end_to_end():
    shape = shapely.MultiLineString([[(0, 0), (1, 0)], [(1, 0), (2, 0)], [(5, 5), (6, 6)]])
    assert sorted(len(line) for line in lines_of(shape)) == [2, 3]
    assert lines_of(shapely.Point(1, 1)) == []
