import numpy as np
import pytest
import torch

from algengine.datasets.bev_labels import LabelGrid
from algengine.datasets.map_label_files import (
    add_map_truth,
    load_map_labels,
    map_labels_path,
    save_map_labels,
)
from algengine.datasets.map_labels import CONTOUR, CROSSING, DIVIDER, LINE_HALF_WIDTH, MapElements, MapFrame
from algengine.errors import RecordingError
from algengine.structures.map_truth import MapTruth
from map_factories import make_marked_road
from simengine.geometry.se2 import points_to_parent

pytestmark = pytest.mark.mm

GRID = LabelGrid()
# The outline of road and car park, counter-clockwise; the seam at their border is inside.
OUTLINE = [(-100, -4), (100, -4), (100, 4), (40, 4), (40, 12), (30, 12), (30, 4), (-100, 4), (-100, -4)]


def draw(pose: tuple[float, float, float]) -> MapFrame:
    return MapElements(make_marked_road(), GRID).draw(np.array(pose))


def of(frame: MapFrame, kind: int) -> np.ndarray:
    return frame.masks[frame.labels == kind].any(0)


def distance(points: np.ndarray, line: list[tuple[float, float]]) -> np.ndarray:
    """Distance (P,) to a polyline, one segment and point after the other."""
    best = np.full(len(points), np.inf)
    for a, b in zip(np.array(line[:-1], float), np.array(line[1:], float), strict=True):
        for i, p in enumerate(points):
            share = np.clip(np.dot(p - a, b - a) / np.dot(b - a, b - a), 0.0, 1.0)
            best[i] = min(best[i], np.linalg.norm(p - a - share * (b - a)))
    return best


def in_rectangle(points: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([x0 <= x <= x1 and y0 <= y <= y1 for x, y in points])


@pytest.mark.parametrize("pose", [(0.0, -2.1, 0.0), (35.0, 2.0, 0.7), (10.0, 3.0, -2.5)])
def test_masks_equal_a_slow_twin(pose):
    frame = draw(pose)
    world = points_to_parent(np.array(pose), GRID.centers())
    expected = {
        DIVIDER: distance(world, [(-100.0, 0.0), (100.0, 0.0)]) <= LINE_HALF_WIDTH,
        CROSSING: in_rectangle(world, 20, -4, 23, 4),
        CONTOUR: distance(world, OUTLINE) <= LINE_HALF_WIDTH,
    }
    drivable = in_rectangle(world, -100, -4, 100, 4) | in_rectangle(world, 30, 3.9, 40, 12)
    assert (frame.drivable == drivable.reshape(GRID.shape)).all()
    for kind in (DIVIDER, CROSSING):
        assert expected[kind].any()
        assert (of(frame, kind) == expected[kind].reshape(GRID.shape)).all()
    # Closing slits rounds the two inner corners by less than a seam, and ends outside the grid are cut straight.
    wrong = of(frame, CONTOUR) != expected[CONTOUR].reshape(GRID.shape)
    assert expected[CONTOUR].sum() > 100 and wrong.sum() <= 4


def test_x_is_forward_and_y_is_left():
    # The ego stands right of the road and looks along it: the crossing is 20 ... 23 m ahead, 6 ... 14 m to the left.
    frame = draw((0.0, -10.0, 0.0))
    rows, cols = np.nonzero(of(frame, CROSSING))
    centers = GRID.centers().reshape(*GRID.shape, 2)[rows, cols]
    assert centers[:, 0].min() >= 20.0 and centers[:, 0].max() <= 23.0
    assert centers[:, 1].min() >= 6.0 and centers[:, 1].max() <= 14.0
    # The same box by fractions of the grid, to the cells that it is made of.
    x, y, width, height = frame.boxes[frame.labels == CROSSING][0]
    low, high = GRID.x_range
    assert abs(low + x * (high - low) - 21.5) < GRID.cell
    assert abs(width * (high - low) - 3.0) < 2 * GRID.cell
    low, high = GRID.y_range
    assert abs(low + y * (high - low) - 10.0) < GRID.cell
    assert abs(height * (high - low) - 8.0) < 2 * GRID.cell


def test_elements_are_whole_and_paint_on_the_contour_is_no_divider():
    labels = draw((0.0, -2.0, 0.0)).labels
    # Two sides of the road: the left one follows the car park. Edge paint and kerb are no dividers.
    assert np.bincount(labels, minlength=3).tolist() == [1, 1, 2]
    nothing = draw((0.0, 500.0, 0.0))
    assert nothing.masks.shape == (0, *GRID.shape) and nothing.boxes.shape == (0, 4)
    assert not nothing.drivable.any()


def test_shifted_elements_equal_those_drawn_there():
    frame = draw((0.0, -2.1, 0.0))
    # Two cells to the left, so nothing is lost by rounding; what comes into sight at the border is unknown.
    moved, there = frame.seen_from(np.array([0.0, 1.6, 0.0]), GRID), draw((0.0, -0.5, 0.0))
    assert (moved.drivable[:-2] == there.drivable[:-2]).all() and moved.drivable.any()
    for kind in (DIVIDER, CROSSING, CONTOUR):
        assert (of(moved, kind)[:-2] == of(there, kind)[:-2]).all()
    assert (moved.labels == there.labels).all()
    # A turn to the left brings the crossing ahead to the right; elements out of sight are gone.
    turned = frame.seen_from(np.array([0.0, 0.0, 0.5]), GRID)
    assert turned.boxes[turned.labels == CROSSING][0, 1] < frame.boxes[frame.labels == CROSSING][0, 1]
    away = frame.seen_from(np.array([0.0, 300.0, 0.0]), GRID)
    assert len(away.labels) == 0 and not away.drivable.any()


def test_round_trip(tmp_path):
    elements = MapElements(make_marked_road(), GRID)
    frames = [elements.draw(np.array([x, -2.0, 0.0])) for x in (0.0, 500.0, 8.0)]
    recording = tmp_path / "observations" / "a.npz"
    save_map_labels(frames, GRID, map_labels_path(recording))
    loaded = load_map_labels(recording, GRID)
    assert len(loaded) == 3
    for i, frame in enumerate(frames):
        again = loaded.frame(i)
        assert (again.labels == frame.labels).all() and (again.masks == frame.masks).all()
        assert (again.drivable == frame.drivable).all()
    sample = MapTruth()
    add_map_truth(sample, loaded.frame(2))
    moved = sample.to("meta")
    assert moved.gt_map_masks.device.type == moved.gt_map_labels.device.type == "meta"
    assert sample.gt_map_boxes.dtype == torch.float32 and len(sample.gt_map_boxes) == len(frames[2].labels)


def test_missing_broken_and_foreign_files_are_explained(tmp_path):
    recording = tmp_path / "observations" / "a.npz"
    with pytest.raises(RecordingError, match="algengine labels"):
        load_map_labels(recording, GRID)
    path = map_labels_path(recording)
    save_map_labels([draw((0.0, 0.0, 0.0))], GRID, path)
    with pytest.raises(RecordingError, match=r"0\.8.*expected.*0\.4.*--grid"):
        load_map_labels(recording, LabelGrid(cell=0.4))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RecordingError, match="cannot be read"):
        load_map_labels(recording, GRID)
