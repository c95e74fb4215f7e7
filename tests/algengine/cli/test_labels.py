import numpy as np
import pytest

from alg_factories import make_log, make_states
from algengine.cli.main import main
from algengine.datasets.bev_labels import LAYERS, LabelGrid, load_labels, unpack_labels
from algengine.datasets.map_label_files import load_map_labels
from algengine.datasets.map_labels import CROSSING, MapElements
from factories import make_scenario, make_tracks
from map_factories import make_marked_road
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.record_io import save_record
from simengine.scenario.splits import write_split

pytestmark = pytest.mark.mm


def drive(run, token: str) -> RolloutRecord:
    """Leave the record and the observations of a drive along the road below `run`."""
    frames = 41
    record = RolloutRecord(
        token=token,
        protocol="navsim",
        traffic="NR",
        seed=0,
        dt=0.1,
        timestamps_us=np.arange(frames) * 100_000,
        ego_states=make_states(8.0, 0.0, frames),
        agents=make_tracks(np.full((1, frames, 3), 30.0)),
        lights=TrafficLights.empty(frames),
        decision_frames=np.array([0, 5, 40]),
        plans=np.zeros((3, 40, 3)),
        plan_dt=0.1,
        plan_indices=np.full(3, -1),
        commands=np.ones(3, np.int8),
    )
    save_record(record, run / "records" / f"{token}.npz")
    make_log(token, decisions=3).save(run / "observations" / f"{token}.npz")
    return record


@pytest.mark.parametrize("options", [[], ["--grid", "-6.4", "25.6", "-12.8", "12.8", "0.4"]])
def test_labels_of_a_run(tmp_path, capsys, options):
    grid = LabelGrid((-6.4, 25.6), (-12.8, 12.8), 0.4) if options else LabelGrid()
    run, split = tmp_path / "run", tmp_path / "split"
    vector_map = make_marked_road()
    write_split([make_scenario(token=token, map=vector_map) for token in ("a", "b")], split)
    record = drive(run, "a")
    assert main(["labels", str(run), str(split), *options]) == 0
    assert "1 label files" in capsys.readouterr().out
    recording = run / "observations" / "a.npz"
    labels = load_map_labels(recording, grid)
    elements = MapElements(vector_map, grid)
    for i, frame in enumerate(record.decision_frames):
        expected, found = elements.draw(record.ego_states[frame, :3]), labels.frame(i)
        assert (found.labels == expected.labels).all() and (found.masks == expected.masks).all()
    # In 0.5 s at 8 m/s the crossing comes 4 m nearer.
    ends = [
        np.flatnonzero(labels.frame(i).masks[labels.frame(i).labels == CROSSING].any((0, 1))) for i in (0, 1)
    ]
    assert (ends[0][0] - ends[1][0]) * grid.cell == pytest.approx(4.0, abs=1.01 * grid.cell)
    drivable = unpack_labels(load_labels(recording, grid), grid)[:, LAYERS.index("drivable")]
    assert (drivable[0] == labels.frame(0).drivable).mean() > 0.99


def test_wrong_folders_and_grids_are_one_sentence_and_draw_nothing(tmp_path, capsys):
    run, split, other = tmp_path / "run", tmp_path / "split", tmp_path / "other"
    write_split([make_scenario(token="a", map=make_marked_road())], split)
    write_split([make_scenario(token="b", map=make_marked_road())], other)
    drive(run, "a")
    for words in (
        [tmp_path / "none", split],
        [run / "observations", split],
        [run, other],
        [run, split, "--grid", "0", "-10", "0", "10", "0.8"],
        [run, split, "--grid", "0", "10", "0", "10", "0"],
    ):
        assert main(["labels", *map(str, words)]) == 1
        sentence = capsys.readouterr().err
        assert sentence.startswith("algengine labels: ") and "expected" in sentence
    assert not (run / "labels").exists()


def test_a_drive_that_sees_no_element_of_the_map_has_none(tmp_path):
    grid = LabelGrid((-1.0, 1.0), (-0.6, 0.6), 0.4)  # inside the car, no paint under it
    run, split = tmp_path / "run", tmp_path / "split"
    write_split([make_scenario(token="a", map=make_marked_road())], split)
    drive(run, "a")
    words = ["--grid", *map(str, (*grid.x_range, *grid.y_range, grid.cell))]
    assert main(["labels", str(run), str(split), *words]) == 0
    labels = load_map_labels(run / "observations" / "a.npz", grid)
    assert len(labels) == 3 and len(labels.frame(0).masks) == 0 and labels.frame(0).drivable.all()
