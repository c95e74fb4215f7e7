"""`simengine explain` on a run that is made here."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.cli.main import main
from simengine.datatypes.record_io import load_record, save_record
from simengine.scenario.splits import write_split

RECORD = "run/records/blocked.npz"


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A folder with a split of two scenarios and a run of a driver that sees nothing."""
    folder = tmp_path_factory.mktemp("explain")
    standing = np.tile([40.0, 0.0, 0.0], (1, 66, 1))
    scenarios = [make_scenario(token="blocked", agents=make_tracks(standing)), make_scenario(token="clear")]
    write_split(scenarios, folder / "splits" / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["split=mine", "scenario_root=splits", "output_dir=run", "ego=constant_velocity"]
        assert main(["run", "--config-name", "replay", *words]) == 0
    return folder


@pytest.fixture
def run(finished_run, tmp_path, monkeypatch):
    """A copy of that folder as the current one."""
    shutil.copytree(finished_run, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")


def explained(capsys, *words: str) -> dict:
    capsys.readouterr()
    assert main(["explain", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("run")
def test_the_table_names_what_failed(capsys):
    assert main(["explain", RECORD]) == 0
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "blocked (navsim_v1)" in out
    assert "collision at 2.8 s with agent_0 (vehicle)" in out
    assert "it counts as standing" in out
    assert "touches agent_0 (vehicle)" in out
    assert "0.0 s starts at 8.0 m/s" in out


@pytest.mark.usefixtures("run")
def test_json_says_the_same_for_programs(capsys):
    found = explained(capsys, "run", "blocked")
    assert found == explained(capsys, RECORD)
    assert (found["token"], found["mode"], found["score"]) == ("blocked", "navsim_v1", 0.0)
    hit = found["blames"][0]
    assert (hit["sub_score"], hit["time"], hit["agent_id"]) == ("no_at_fault_collisions", 2.8, "agent_0")
    assert hit["numbers"]["ego_speed"] == pytest.approx(8.0, abs=0.01)
    assert found["timeline"][0] == {"time": 0.0, "text": "starts at 8.0 m/s"}
    assert found["sub_scores"]["drivable_area_compliance"] == 1.0
    clear = explained(capsys, "run", "clear")
    assert [blame["sub_score"] for blame in clear["blames"]] in ([], ["ego_progress"])
    # PDM-Closed would have gone faster than the log.
    assert 0.85 < clear["score"] <= 1.0


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("mode", ["corrected", "worldengine_v1", "epdms", "epdms_corrected"])
def test_other_modes(capsys, mode):
    found = explained(capsys, RECORD, "--mode", mode)
    assert found["mode"] == mode
    assert ("lane_keeping" in found["sub_scores"]) == mode.startswith("epdms")
    # The logged driver went through the car, too, which excuses everybody in the extended score.
    excused = mode.startswith("epdms")
    assert found["sub_scores"]["no_at_fault_collisions"] == (1.0 if excused else 0.0)
    assert any("touches agent_0" in moment["text"] for moment in found["timeline"])


@pytest.mark.usefixtures("run")
def test_the_score_is_that_of_the_run(capsys):
    lines = Path("run/scores.csv").read_text().splitlines()
    header, *rows = [line.split(",") for line in lines]
    at = header.index("score")
    for row in rows:
        assert explained(capsys, "run", row[0])["score"] == pytest.approx(float(row[at]), abs=1e-6)


def fails(capsys, *words: str) -> str:
    capsys.readouterr()
    assert main(["explain", *words]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.usefixtures("run")
def test_paths_that_are_no_record(capsys):
    assert "absent.npz does not exist" in fails(capsys, "absent.npz")
    assert "expected a record or a token after it: it has 2, such as blocked" in fails(capsys, "run")
    assert "it has 2, such as blocked" in fails(capsys, "run", "absent")
    assert "not a folder" in fails(capsys, RECORD, "blocked")
    shutil.copy(RECORD, "blocked.npz")
    assert "not in the folder records" in fails(capsys, "blocked.npz")
    Path("run/records/blocked.npz").write_bytes(b"nonsense")
    assert "cannot be read" in fails(capsys, RECORD)
    shutil.rmtree("run/records")
    assert "record.rollouts=true" in fails(capsys, "run", "blocked")


@pytest.mark.usefixtures("run")
def test_a_run_without_a_configuration(capsys):
    Path("run/config.yaml").write_text("colour: red\n")
    assert "colour" in fails(capsys, RECORD)
    Path("run/config.yaml").unlink()
    assert "no config.yaml" in fails(capsys, RECORD)


@pytest.mark.usefixtures("run")
def test_records_of_other_scenarios(capsys):
    shutil.copy("run/records/clear.npz", RECORD)
    assert "holds a record of scenario 'clear'" in fails(capsys, RECORD)
    record = load_record(Path("run/records/clear.npz"))
    save_record(replace(record, token="foreign"), Path("run/records/foreign.npz"))
    assert "'foreign', which is not in split mine" in fails(capsys, "run", "foreign")
    moved = replace(record, timestamps_us=record.timestamps_us + 1)
    save_record(moved, Path("run/records/clear.npz"))
    assert "the scenario has changed since" in fails(capsys, "run", "clear")


@pytest.mark.usefixtures("run")
def test_the_report_says_the_same(capsys):
    text = Path("run/report.html").read_text()
    page = json.loads(re.search(r'id="page">(.*?)</script>', text, re.DOTALL)[1])
    for row in page["rows"]:
        expected = [blame["account"] for blame in explained(capsys, "run", row["token"])["blames"]]
        assert [loss["numbers"] for loss in row["losses"]] == expected
    assert "the reference is PDM-Closed" in text
