from dataclasses import replace

import numpy as np
import pytest

from alg_factories import make_states
from algengine.datasets.bev_labels import (
    LAYERS,
    UNKNOWN,
    LabelGrid,
    MapRaster,
    draw_boxes,
    draw_labels,
    labels_path,
    load_labels,
    save_labels,
    shift_labels,
    unpack_labels,
)
from algengine.datasets.label_files import read_labels
from algengine.errors import RecordingError
from factories import make_straight_map, make_tracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ConfigError

GRID = LabelGrid()


def make_record(agent_x: float) -> RolloutRecord:
    frames = 81
    states = make_states(8.0, 0.0, frames)
    agent = np.zeros((1, frames, 3))
    agent[0, :, 0] = agent_x
    return RolloutRecord(
        token="a",
        protocol="navsim",
        traffic="NR",
        seed=0,
        dt=0.1,
        timestamps_us=np.arange(frames) * 100_000,
        ego_states=states,
        agents=make_tracks(agent),
        lights=TrafficLights.empty(frames),
        decision_frames=np.array([0, 5]),
        plans=np.zeros((2, 40, 3)),
        plan_dt=0.1,
        plan_indices=np.full(2, -1),
        commands=np.ones(2, np.int8),
    )


def value_at(labels: np.ndarray, layer: str, x: float, y: float) -> int:
    index, inside = GRID.cell_of(np.array([[x, y]]))
    assert inside[0]
    return int(labels[LAYERS.index(layer)].reshape(-1)[index[0]])


def test_boxes_by_hand():
    points = np.array([[0.0, 0.0], [2.2, 0.0], [2.4, 0.0], [0.0, 1.1]])
    inside = draw_boxes(points, np.array([[0.0, 0.0, 0.0]]), np.array([[4.6, 2.0, 1.5]]))
    assert inside.tolist() == [True, True, False, False]


def test_layers_show_road_and_cars():
    labels = draw_labels(make_record(20.0), MapRaster(make_straight_map()), GRID)
    assert labels.shape == (2, len(LAYERS), *GRID.shape)
    now, later = labels
    assert value_at(now, "drivable", 10, 0) == 1
    assert value_at(now, "drivable", 10, -6) == 0
    assert value_at(now, "centerline", 10, 0.1) == 1
    assert value_at(now, "centerline", 10, 1.75) == 0
    assert value_at(now, "vehicle", 20, 0) == 1
    assert value_at(now, "vehicle", 16, 0) == 0
    assert value_at(later, "vehicle", 16, 0) == 1  # the ego has driven 4 m
    # Labels of later moments stay in the frame of now.
    assert value_at(now, "vehicle_1s", 20, 0) == 1


def test_round_trip(tmp_path):
    labels = draw_labels(make_record(20.0), MapRaster(make_straight_map()), GRID)
    recording = tmp_path / "observations" / "a.npz"
    save_labels(labels, GRID, labels_path(recording))
    assert np.array_equal(unpack_labels(load_labels(recording, GRID), GRID), labels.astype(np.uint8))
    with pytest.raises(RecordingError, match="algengine labels"):
        load_labels(tmp_path / "observations" / "b.npz", GRID)


def test_labels_of_another_grid_are_refused(tmp_path):
    recording = tmp_path / "observations" / "a.npz"
    save_labels(
        draw_labels(make_record(20.0), MapRaster(make_straight_map()), GRID), GRID, labels_path(recording)
    )
    (low, high), cell = GRID.x_range, GRID.cell
    for other in (replace(GRID, cell=2 * cell), replace(GRID, x_range=(low + cell, high + cell))):
        with pytest.raises(RecordingError, match="expected .*--grid"):
            load_labels(recording, other)


@pytest.mark.parametrize(
    "wrong",
    [{"cell": 0.0}, {"cell": -1.0}, {"cell": 1e3}, {"x_range": (5.0, -5.0)}, {"y_range": (0.0, np.nan)}],
)
def test_what_is_no_grid_is_one_sentence(wrong):
    with pytest.raises(ConfigError, match="label grid"):
        LabelGrid(**wrong)


@pytest.mark.parametrize(
    "damage", ["empty", "half", "flipped", "text", "array", "foreign", "folder", "missing"]
)
def test_damaged_label_files_are_one_sentence(tmp_path, damage):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, bits=np.arange(5000) % 251)
    whole = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif damage != "missing":
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes(b ^ 0x5A for b in whole[middle : middle + 40]) + whole[middle + 40 :]
        content = {
            "empty": b"",
            "half": whole[:middle],
            "flipped": flipped,
            "text": b"hello",
            "foreign": whole,
        }
        path.write_bytes(content[damage])
    with pytest.raises(RecordingError, match="cannot be read .*algengine labels"):
        read_labels(path, ("bits", "shape"))


def test_shifted_labels_equal_labels_drawn_there():
    record = make_record(20.0)
    raster = MapRaster(make_straight_map())
    labels = draw_labels(record, raster, GRID)
    shift = np.array([0.0, 1.6, 0.0])  # two cells, so nothing is lost by rounding
    states = record.ego_states.copy()
    states[:, 1] += 1.6
    there = draw_labels(replace(record, ego_states=states), raster, GRID)
    moved = shift_labels(labels.astype(np.uint8), shift, GRID)
    known = moved != UNKNOWN
    assert known.mean() > 0.9
    assert (moved[known] == there[known]).mean() > 0.999
