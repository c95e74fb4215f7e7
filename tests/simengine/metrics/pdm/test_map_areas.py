"""The drivable map cut from a vector map."""

from dataclasses import replace

import numpy as np

from factories import make_straight_map
from simengine.datatypes.map import AreaKind, MapArea, Roadblock, VectorMap
from simengine.metrics.pdm.map_areas import LANE_LAYERS, Layer, drivable_map

SQUARE = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]])


def test_roadblock_connectors_are_not_drivable_by_themselves() -> None:
    blocks = {"a": Roadblock("a", SQUARE, ()), "b": Roadblock("b", SQUARE + 10.0, (), is_connector=True)}
    made = drivable_map(VectorMap(roadblocks=blocks), np.zeros(2), 100.0)
    assert made.ids == ("a",)
    assert made.layers == (Layer.ROADBLOCK,)


def test_lanes_count_as_drivable_only_without_roads() -> None:
    with_roads = make_straight_map()
    without = replace(with_roads, roadblocks={})
    assert Layer.LANE not in drivable_map(with_roads, np.zeros(2), 100.0).drivable_layers
    assert set(LANE_LAYERS) <= set(drivable_map(without, np.zeros(2), 100.0).drivable_layers)


def test_window_keeps_what_it_touches() -> None:
    areas = tuple(
        MapArea(name, AreaKind.DRIVABLE, SQUARE + shift)
        for name, shift in (("near", 0.0), ("edge", 100.0), ("far", 101.0))
    )
    assert drivable_map(VectorMap(areas=areas), np.zeros(2), 100.0).ids == ("near", "edge")


def test_points_on_the_boundary_are_outside() -> None:
    made = drivable_map(VectorMap(areas=(MapArea("s", AreaKind.DRIVABLE, SQUARE),)), np.zeros(2), 100.0)
    points = np.array([[5.0, 5.0], [0.0, 5.0], [10.0, 10.0], [9.999, 9.999], [11.0, 5.0]])
    assert made.contains(np.array([0]), points).tolist() == [[True, False, False, True, False]]


def test_a_ring_that_crosses_itself_keeps_both_halves() -> None:
    bow_tie = np.array([[0.0, 0.0], [10.0, 10.0], [10.0, 0.0], [0.0, 10.0]])
    made = drivable_map(VectorMap(areas=(MapArea("b", AreaKind.DRIVABLE, bow_tie),)), np.zeros(2), 100.0)
    assert made.contains(np.array([0]), np.array([[1.0, 5.0], [9.0, 5.0]])).all()
