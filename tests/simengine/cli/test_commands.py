"""The commands as a user meets them: help, round trips, and broken input as one sentence with exit code 1."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from factories import make_scenario
from scenario_factories import make_scene
from simengine.cli.main import COMMANDS, main
from simengine.scenario.splits import load_index, write_split


class Exploit:
    """A pickle that would run a command."""

    def __reduce__(self):
        return os.system, ("touch hacked",)


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fails(capsys, *argv) -> str:
    """Run a command that must fail with one sentence; return the sentence."""
    assert main([str(word) for word in argv]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    sentence = [line for line in lines if line.startswith(f"simengine {argv[0]}: ")]
    assert len(sentence) == 1, lines
    return sentence[0]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert "example" in capsys.readouterr().out


@pytest.mark.parametrize("number", [0, -1])
@pytest.mark.parametrize(
    "words",
    [
        ["generate", "demo", "out", "--workers"],
        ["generate", "demo", "out", "--num-scenarios"],
        ["convert", "--nuplan-db-path", "logs", "--out-dir", "out", "--workers"],
    ],
)
def test_numbers_below_one_are_refused_before_anything_is_written(words, number, tmp_path, capsys):
    assert f"{number}" in fails(capsys, *words, str(number))
    assert list(tmp_path.iterdir()) == []


def test_native_split_is_converted_run_and_reported(tmp_path, capsys):
    write_split([make_scenario()], tmp_path / "source")
    assert main(["convert", "source", "splits/mine"]) == 0
    assert "read 1 scenarios, skipped 0" in capsys.readouterr().out
    assert load_index(tmp_path / "splits" / "mine").entries[0].token == "straight"
    assert (
        main(["run", "--config-name", "replay", "split=mine", "scenario_root=splits", "output_dir=out"]) == 0
    )
    assert "1 of 1 scenarios scored" in capsys.readouterr().out
    report = tmp_path / "out" / "report.html"
    report.unlink()
    assert main(["report", "out"]) == 0
    assert "straight" in report.read_text()


def test_reports_of_unfinished_and_foreign_folders(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("split: demo\n")
    assert "scores.csv" in fails(capsys, "report", "run")
    (tmp_path / "run" / "config.yaml").write_text("colour: red\n")
    assert "colour" in fails(capsys, "report", "run")


@pytest.mark.parametrize("keep", [0, 1, 0.3, 0.9])
def test_truncated_pickles(tmp_path, capsys, keep):
    data = pickle.dumps(make_scene())
    (tmp_path / "sd_a.pkl").write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert "sd_a.pkl" in fails(capsys, "convert", "sd_a.pkl", "out")
    assert sorted(os.listdir(tmp_path)) == ["sd_a.pkl"]


def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path, capsys):
    (tmp_path / "sd_a.pkl").write_bytes(pickle.dumps({"tracks": Exploit()}))
    assert "system" in fails(capsys, "convert", "sd_a.pkl", "out")
    assert sorted(os.listdir(tmp_path)) == ["sd_a.pkl"]


def test_nan_poses(tmp_path, capsys):
    scene = make_scene()
    track = scene["tracks"][scene["metadata"]["sdc_id"]]
    track["state"]["position"] = np.array(track["state"]["position"], dtype=float)
    track["state"]["position"][20, 0] = np.nan
    (tmp_path / "sd_a.pkl").write_bytes(pickle.dumps(scene))
    assert "sd_a.pkl" in fails(capsys, "convert", "sd_a.pkl", "out")
    assert sorted(os.listdir(tmp_path)) == ["sd_a.pkl"]


def test_one_bad_file_is_skipped_with_its_reason(tmp_path, capsys):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sd_good.pkl").write_bytes(pickle.dumps(make_scene()))
    (tmp_path / "logs" / "sd_bad.pkl").write_bytes(b"nonsense")
    assert main(["convert", "logs", "out"]) == 0
    out = capsys.readouterr().out
    assert "read 1 scenarios, skipped 1" in out
    assert "sd_bad.pkl" in out


def test_existing_destinations_are_not_replaced_silently(tmp_path, capsys):
    write_split([make_scenario()], tmp_path / "source")
    assert main(["convert", "source", "out"]) == 0
    assert "out" in fails(capsys, "convert", "source", "out")
    assert main(["convert", "source", "out", "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("convert", "absent", "out"), "absent"),
        (("report", "absent"), "absent"),
        (("run", "split=absent"), "absent"),
        (("run", "--config-name", "absent"), "absent"),
        (("run", "bridge.in_process=absent:thing", "num_scenarios=1"), "absent"),
        (
            ("run", "num_scenarios=x"),
            "num_scenarios=x: Value 'x' of type 'str' could not be converted to Integer",
        ),
        (("generate", "demo", "out", "--num-scenarios", "0"), "change the number of scenarios"),
    ],
)
def test_things_that_do_not_exist(tmp_path, capsys, argv, words):
    assert words in fails(capsys, *argv)


def test_shown_configuration_is_complete(capsys):
    assert main(["run", "--show", "traffic=R"]) == 0
    out = capsys.readouterr().out
    assert "traffic: R" in out
    assert "plan_timeout" in out
    assert not list(Path().iterdir())
