"""Points in polygons on a device: the same answers as the polygon index, on edges and corners too."""

import numpy as np
import pytest
import shapely

torch = pytest.importorskip("torch")

from dataclasses import replace  # noqa: E402

from metrics_factories import two_lane_scene  # noqa: E402
from simengine.gpu.area_map import upload_areas  # noqa: E402
from simengine.gpu.areas import containing  # noqa: E402
from simengine.gpu.local_edges import local_edges  # noqa: E402
from simengine.gpu.room import Room  # noqa: E402
from simengine.metrics.pdm.map_areas import DrivableMap, Layer  # noqa: E402


def star(rng: np.random.Generator, step: float) -> shapely.Polygon:
    """Return a star whose vertices lie on multiples of `step` where that is not 0."""
    count = int(rng.integers(3, 40))
    angle = np.sort(rng.uniform(0.0, 2 * np.pi, count))
    radius = rng.uniform(0.5, 12.0, count)
    points = rng.uniform(-15.0, 15.0, 2) + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return shapely.Polygon(np.round(points / step) * step if step else points)


def drivable(polygons: list) -> DrivableMap:
    ids = tuple(f"p{k}" for k in range(len(polygons)))
    return DrivableMap(ids, (Layer.LANE,) * len(polygons), np.array(polygons, dtype=object))


def assert_same_sets(made: DrivableMap, points: np.ndarray) -> None:
    areas = upload_areas(replace(two_lane_scene(), drivable=made), torch.device("cpu"))
    on_device = torch.from_numpy(np.ascontiguousarray(points.T))
    found, needed = containing(areas, on_device)
    np.testing.assert_array_equal(found.T.numpy(), made.index.containing(points))
    outlines, edges = (2 * needed + 7).tolist()
    again, needed_again = containing(areas, on_device, Room(outlines, edges))
    assert torch.equal(found, again)
    assert torch.equal(needed, needed_again)


@pytest.mark.parametrize("step", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(4))
def test_random_polygons(seed: int, step: float) -> None:
    rng = np.random.default_rng(seed)
    made = drivable([star(rng, step) for _ in range(70)])  # more than one word
    points = rng.uniform(-40.0, 40.0, (3000, 2))
    lattice = rng.integers(-120, 120, (3000, 2)) * 0.25  # many of them on vertices, edges and lines of cells
    vertices = np.concatenate([shapely.get_coordinates(p) for p in made.polygons])
    assert_same_sets(made, np.concatenate([points, lattice, vertices]))


def test_holes_parts_and_empty_polygons() -> None:
    ring = shapely.Polygon(shapely.box(0, 0, 20, 20).exterior, [shapely.box(5, 5, 9, 9).exterior])
    parts = shapely.MultiPolygon([shapely.box(-9, -9, -3, -3), shapely.box(30, 0, 33, 3)])
    made = drivable([shapely.Polygon(), ring, parts, shapely.Polygon()])
    x, y = np.meshgrid(np.arange(-12, 36, 0.5), np.arange(-12, 24, 0.5))
    assert_same_sets(made, np.stack([x.ravel(), y.ravel()], axis=1))


def test_polygons_without_area_alone() -> None:
    assert_same_sets(drivable([shapely.Polygon()] * 70), np.zeros((3, 2)))


def test_points_that_are_no_numbers_are_nowhere() -> None:
    made = drivable([shapely.box(0, 0, 5, 5)])
    points = np.array([[np.nan, 1.0], [1.0, np.inf], [-np.inf, np.nan], [1.0, 1.0]])
    areas = upload_areas(replace(two_lane_scene(), drivable=made), torch.device("cpu"))
    assert containing(areas, torch.from_numpy(points.T.copy()))[0].tolist() == [[0, 0, 0, 1]]


def test_lists_of_edges_are_short() -> None:
    # A road of two kilometres, a vertex per metre, along the rows: a row has thousands of its edges.
    road = shapely.segmentize(shapely.box(0.0, 0.1, 2000.0, 4.1), 1.0)
    starts, _ = local_edges(drivable([road]).index)
    assert np.diff(starts).max() <= 8
