"""`algengine data check` on data with planted gaps."""

import shutil

import pytest

from algengine.cli.main import main
from algengine.datasets.openscene.check import DataCheck
from openscene_factories import CAMERAS, OpenScene, dump
from perception_factories import write_perception_recordings


@pytest.fixture
def scene(tmp_path):
    return OpenScene(tmp_path)


def rows_of(scene, needs_scores=True, **changes):
    options = scene.options(pdm_path=str(scene.pdm), cameras=CAMERAS, **changes)
    return {row.what: row for row in DataCheck().dataset("train", options, needs_scores)}


def test_everything_there(scene):
    rows = rows_of(scene)
    assert all(row.verdict == "ok" for row in rows.values()), rows
    assert (rows["tokens with a frame"].found, rows["frames"].found) == (len(scene.tokens), 32)
    # Frames 1 to 4, 4 to 7 and 7 to 10 of two logs, two cameras.
    assert rows["images"].found == 2 * 10 * 2
    assert rows["first image decodes"].note == "64x36 px"


def test_gaps_are_counted_and_named(scene):
    gone = scene.img_root / scene.logs[0] / "CAM_B0"
    shutil.rmtree(gone)
    dump(scene.pdm, {token: scene.scores[token] for token in scene.tokens[2:]})
    dump(scene.ann_file, [info for info in scene.infos if info["token"] != scene.tokens[-1]])
    rows = rows_of(scene)
    assert rows["tokens with a frame"].verdict == "missing"
    assert rows["tokens with a frame"].note == scene.tokens[-1]
    assert (rows["tokens with scores"].found, rows["tokens with scores"].total) == (3, 5)
    assert rows["tokens with scores"].note == ", ".join(scene.tokens[:2])
    assert rows["images"].total - rows["images"].found == 10
    assert rows["images"].note.startswith(f"{scene.logs[0]}/CAM_B0/")
    assert rows_of(scene, needs_scores=False)["tokens with scores"].verdict == "absent"


@pytest.mark.parametrize(
    ("change", "what", "said"),
    [
        ({"ann_file": "none.pkl"}, "info file", "does not exist"),
        ({"nav_filter_path": "none.yaml"}, "split", "cannot be read"),
        ({"pdm_path": "none.pkl"}, "scores", "there is no score cache"),
        ({"cameras": ("CAM_F0", "CAM_X")}, "cameras", "CAM_X"),
    ],
)
def test_missing_files_are_rows(scene, change, what, said):
    options = scene.options(**{"pdm_path": str(scene.pdm), "cameras": CAMERAS, **change})
    rows = {row.what: row for row in DataCheck().dataset("train", options, True)}
    assert rows[what].verdict == "missing" and said in rows[what].note


def test_labels_beside_recordings_are_counted(tmp_path):
    folder = write_perception_recordings(tmp_path / "run", 2)
    options = {"type": "RecordingDataset", "root": str(folder), "objects": {}, "label_grid": {}}
    rows = {row.what: row for row in DataCheck().dataset("train", options)}
    assert (rows["recordings"].found, rows["object labels"].verdict) == (2, "ok")
    assert (rows["label rasters"].found, rows["label rasters"].total) == (0, 2)


def test_what_makes_no_plans_needs_no_vocabulary():
    config = {"vocabulary": "none.npy", "model": {"type": "UniAD"}}
    assert DataCheck().config(config) == []
    assert [row.verdict for row in DataCheck().config(config | {"model": {"head": {"dims": 1}}})] == [
        "missing"
    ]


def write_config(scene, path):
    options = scene.options(pdm_path=str(scene.pdm), cameras=CAMERAS)
    path.write_text(
        f"model = dict(head=dict(sub_scores=True))\ntrain_dataloader = dict(dataset={options!r})\n"
    )
    return str(path)


@pytest.mark.mm
def test_the_command_prints_and_tells_by_its_exit_code(scene, tmp_path, capsys):
    config = write_config(scene, tmp_path / "config.py")
    assert main(["data", "check", config]) == 0
    assert "everything needed is there" in capsys.readouterr().out
    shutil.rmtree(scene.img_root)
    assert main(["data", "check", config]) == 1
    assert "missing: train images\n" in capsys.readouterr().out


@pytest.mark.mm
def test_a_root_is_checked_for_the_full_data(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path)]) == 1
    out = "".join(capsys.readouterr().out.split())
    assert str(tmp_path / "data/alg_engine").replace(" ", "")[:20] in out and "missing" in out
