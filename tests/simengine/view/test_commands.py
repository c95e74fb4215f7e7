"""`simengine view` and `simengine video` from the command line; what goes wrong is one sentence."""

import shutil

import numpy as np
import pytest
from PIL import Image

from simengine.cli.episodes import find_drives
from simengine.cli.main import main
from simengine.datatypes.record_io import load_record, save_record
from simengine.errors import ConfigError
from simengine.scenario.splits import write_split
from view_factories import make_street

RECORD = "run/records/street.npz"


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A folder with a split of two streets and a run through them that kept records and nothing else."""
    folder = tmp_path_factory.mktemp("view")
    write_split([make_street(), make_street("lane")], folder / "splits" / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["split=mine", "scenario_root=splits", "output_dir=run", "ego=constant_velocity"]
        assert main(["run", "--config-name", "replay", *words]) == 0
    return folder


@pytest.fixture
def here(finished_run, tmp_path, monkeypatch):
    """A copy of that folder as the current one."""
    shutil.copytree(finished_run, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")


def said(capsys, *words: str) -> str:
    """Return the one line that a command says on standard error when it fails."""
    capsys.readouterr()
    assert main(list(words)) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def titles(*names: str) -> list[str]:
    return [source.title for source in find_drives(names, 64, 36)]


@pytest.mark.usefixtures("here")
def test_what_names_stand_for():
    assert titles("run") == ["run/lane", "run/street"]
    assert titles(RECORD, "run") == ["run/street", "run/lane"]
    assert titles("splits/mine") == ["mine/street", "mine/lane"]
    assert titles("splits/mine/street.npz") == ["street"]
    assert titles("demo_0003") == ["demo_0003"]
    assert len(titles("demo")) == 16
    with pytest.raises(ConfigError, match="demo_9999 is none of what can be shown"):
        titles("demo_9999")


@pytest.mark.usefixtures("here")
def test_a_record_opens_with_its_scenario_and_score():
    drive = find_drives([RECORD], 64, 36)[0].open()
    assert drive.num_frames == 41
    assert drive.scenario.token == "street"
    assert drive.score.token == "street"
    assert len(drive.plans) == 8


@pytest.mark.usefixtures("here")
def test_a_score_of_another_record_is_not_shown(tmp_path):
    record = load_record(tmp_path / "here" / RECORD)
    record.ego_states[-1, 0] += 1.0
    save_record(record, tmp_path / "here" / RECORD)
    assert find_drives([RECORD], 64, 36)[0].open().score is None


@pytest.mark.usefixtures("here")
def test_a_record_becomes_a_film(capsys, tmp_path):
    words = [RECORD, "-o", "out/a.gif", "--birdseye", "--width", "64", "--height", "36", "--backend", "cpu"]
    assert main(["video", *words, "--speed", "2"]) == 0
    assert "wrote 41 frames to out/a.gif" in capsys.readouterr().out
    with Image.open(tmp_path / "here" / "out" / "a.gif") as stored:
        assert (stored.n_frames, stored.size, stored.info["duration"]) == (41, (64 + 4 + 36, 36), 50)


@pytest.mark.usefixtures("here")
def test_a_log_becomes_a_film():
    av = pytest.importorskip("av")
    assert (
        main(["video", "splits/mine", "--token", "lane", "-o", "a.mp4", "--cameras", "none", "--birdseye"])
        == 0
    )
    with av.open("a.mp4") as stored:
        frames = [frame.to_ndarray(format="rgb24") for frame in stored.decode(video=0)]
    assert len(frames) == 66
    assert frames[0].shape == (720, 720, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 0.1


@pytest.mark.usefixtures("here")
def test_wrong_arguments_of_the_video_are_said(capsys):
    assert "ends with .mp4 or .gif" in said(capsys, "video", RECORD, "-o", "a.avi")
    assert "CAM_X" in said(capsys, "video", RECORD, "-o", "a.gif", "--cameras", "CAM_X")
    assert "show nothing" in said(capsys, "video", RECORD, "-o", "a.gif", "--cameras", "none")
    assert "kept no images" in said(capsys, "video", RECORD, "-o", "a.gif", "--backend", "none")
    assert "--token is 'road'" in said(capsys, "video", "run", "-o", "a.gif", "--token", "road")
    assert "--speed is 0" in said(capsys, "video", RECORD, "-o", "a.gif", "--speed", "0")
    assert "at least 16 x 16" in said(capsys, "video", RECORD, "-o", "a.gif", "--width", "3")
    assert "at most 8192 x 8192" in said(capsys, "video", RECORD, "-o", "a.gif", "--height", "100000")
    assert "none of what can be shown" in said(capsys, "view", "nowhere")


@pytest.mark.usefixtures("here")
def test_broken_records_are_said(capsys, tmp_path):
    path = tmp_path / "here" / RECORD
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in said(capsys, "view", RECORD, "--backend", "none", "--port", "0")
    path.write_bytes(b"")
    assert "cannot be read" in said(capsys, "video", RECORD, "-o", "a.gif")
    shutil.copy("splits/mine/street.npz", path)
    assert "expected" in said(capsys, "view", RECORD, "--port", "0")
    shutil.copy("run/records/lane.npz", path)
    assert "holds a record of scenario 'lane'" in said(capsys, "view", RECORD, "--port", "0")
    shutil.rmtree("splits")
    assert "splits/mine" in said(capsys, "view", "run", "--token", "lane", "--port", "0")
    shutil.rmtree("run/records")
    assert "kept no records" in said(capsys, "view", "run")


@pytest.mark.usefixtures("here")
def test_a_taken_port_is_said(capsys):
    server = pytest.importorskip("simengine.view.server")
    pytest.importorskip("viser")
    taken = server.open_server("127.0.0.1", 0)
    try:
        line = said(capsys, "view", RECORD, "--backend", "none", "--port", str(taken.get_port()))
    finally:
        server.close_server(taken)
    assert "choose another one with --port" in line
