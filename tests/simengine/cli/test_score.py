"""`simengine score`: from a CSV file to tables, and broken input as one sentence with nothing written."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from simengine.cli import score as score_command
from simengine.cli.main import main
from simengine.geometry.se2 import to_local
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import write_split
from simengine.world.splits import builtin_handles

BLOCKED = np.tile([40.0, 0.0, 0.0], (1, 66, 1))  # a car stands in the way


@pytest.fixture(autouse=True)
def split(tmp_path, monkeypatch):
    """A split of three scenarios below the current folder."""
    monkeypatch.chdir(tmp_path)
    scenarios = [
        make_scenario(token="blocked", agents=make_tracks(BLOCKED)),
        make_scenario(token="clear"),
        make_scenario(token="slow", speed=4.0),
    ]
    write_split(scenarios, tmp_path / "splits" / "mine")
    return scenarios


def logged(scenario: Scenario) -> list[list]:
    start = scenario.initial_frame
    poses = to_local(scenario.ego.pose[start], scenario.ego.pose[start + 5 : start + 41 : 5])
    return [[scenario.token, 0.5 * (k + 1), *pose] for k, pose in enumerate(poses)]


def straight(scenario: Scenario) -> list[list]:
    speed = scenario.ego.velocity[scenario.initial_frame, 0]
    return [[scenario.token, 0.5 * k, 0.5 * k * speed, 0.0, 0.0] for k in range(1, 9)]


def write_plans(path: Path, *plans: list[list]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["token", "t", "x", "y", "yaw"], *(line for plan in plans for line in plan)]
        )
    return path


def score(*words: object) -> int:
    return main(["score", *map(str, words), "--workers", "1"])


def mine(plans: Path, *words: object) -> int:
    return score(plans, "--split", "mine", "--scenario-root", "splits", "--output", "out", *words)


def rows(folder: str = "out") -> dict[str, dict[str, str]]:
    with (Path(folder) / "scores.csv").open(newline="") as file:
        return {row["token"]: row for row in csv.DictReader(file)}


def test_from_plans_to_tables(split, tmp_path, capsys):
    plans = write_plans(tmp_path / "plans.csv", *(logged(scenario) for scenario in split))
    assert mine(plans) == 0
    assert "3 of 3 scenarios scored" in capsys.readouterr().out
    found = rows()
    assert list(found) == ["blocked", "clear", "slow"]
    assert float(found["clear"]["score"]) > 0.9
    assert float(found["blocked"]["score"]) == 0.0
    # Front at 16.049 + 8 t, rear of the car at 37.7: 2.71 s.
    assert found["blocked"]["blame"] == "collision at 2.8 s with agent_0 (vehicle)"
    assert found["clear"]["protocol"] == "open_loop"
    summary = json.loads(Path("out/summary.json").read_text())
    assert summary["columns"]["no_at_fault_collisions"]["mean"] == pytest.approx(2 / 3)
    assert summary["mode"] == ["navsim_v1"]
    blames = json.loads(Path("out/blames.json").read_text())
    assert blames["blocked"][0]["numbers"]["kind"] == "standing track"
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "blames.json",
        "scores.csv",
        "summary.json",
    ]


def test_the_extended_score_has_its_own_columns(split, tmp_path, capsys):
    plans = write_plans(tmp_path / "plans.csv", *(logged(scenario) for scenario in split))
    assert mine(plans, "--metric", "epdms") == 0
    found = rows()
    assert float(found["clear"]["score"]) > 0.9
    assert float(found["clear"]["lane_keeping"]) == 1.0
    assert found["clear"]["two_frame_extended_comfort"] == ""
    assert json.loads(found["clear"]["reasons"])["two_frame_extended_comfort"] == "there is no frame before"
    # The logged driver hits the car as well, which excuses it.
    assert float(found["blocked"]["no_at_fault_collisions"]) == 1.0
    out = capsys.readouterr().out
    assert "history_comfort" in out
    assert "without a total" not in out


def test_frames_of_one_log_are_pairs_to_the_extended_score(tmp_path):
    now = make_scenario(token="now", frames=80, initial_frame=20)
    before = make_scenario(token="before", frames=80, initial_frame=15)
    write_split([now, before], tmp_path / "splits" / "pair")
    plans = write_plans(tmp_path / "plans.csv", straight(now), straight(before))
    words = ("--scenario-root", "splits", "--metric", "epdms", "--output", "out")
    assert score(plans, "--split", "pair", *words) == 0
    assert [rows()[token]["two_frame_extended_comfort"] for token in ("before", "now")] == ["", "1.000000"]


def test_scenarios_without_a_plan(split, tmp_path, capsys):
    plans = write_plans(tmp_path / "plans.csv", logged(split[1]))
    assert mine(plans) == 1
    assert "1 of 3 scenarios scored, 2 failed" in capsys.readouterr().out
    assert (rows()["slow"]["status"], rows()["slow"]["error"]) == ("failed", "no plan in plans.csv")
    assert mine(plans, "--partial", "--overwrite") == 0
    assert list(rows()) == ["clear"]
    assert mine(plans, "--metric", "epdms", "--overwrite") == 1
    assert rows()["blocked"]["status"] == "failed"


def test_a_scenario_that_cannot_be_scored_does_not_stop_the_others(split, tmp_path, capsys):
    short = make_scenario(token="short", frames=40)
    write_split([*split, short], tmp_path / "splits" / "mine")
    plans = write_plans(tmp_path / "plans.csv", *(straight(scenario) for scenario in [*split, short]))
    for metric in ("navsim_v1", "epdms"):
        assert mine(plans, "--metric", metric, "--overwrite") == 1
        assert rows()["short"]["error"].startswith("ScenarioFormatError: scenario short has 2.4 s")
        assert float(rows()["clear"]["score"]) > 0.9


@pytest.mark.parametrize("workers", [2])
def test_results_do_not_depend_on_the_number_of_processes(split, tmp_path, workers):
    plans = write_plans(tmp_path / "plans.csv", *(straight(scenario) for scenario in split))
    words = ["score", str(plans), "--split", "mine", "--scenario-root", "splits"]
    for count in (1, workers):
        assert main([*words, "--output", f"out_{count}", "--workers", str(count)]) == 0
    for name in ("scores.csv", "summary.json", "blames.json"):
        assert (Path("out_1") / name).read_bytes() == (Path(f"out_{workers}") / name).read_bytes()


def test_built_in_scenarios(tmp_path):
    scenarios = [handle.load() for handle in builtin_handles("rare_test")[:2]]
    assert scenarios[0].tags["event"] == "hard_brake"
    words = ("--split", "rare_test", "--partial")
    driven = write_plans(tmp_path / "driven.csv", *(logged(scenario) for scenario in scenarios))
    assert score(driven, *words) == 0
    folder = "experiments/open_loop_exps/driven/rare_test_navsim_v1"
    # The expert who drove the logs hits nobody and stays on the road; rare events may cost time to collision.
    for row in rows(folder).values():
        assert float(row["no_at_fault_collisions"]) == float(row["drivable_area_compliance"]) == 1.0
        assert float(row["ego_progress"]) > 0.5
    blind = write_plans(tmp_path / "blind.csv", *(straight(scenario) for scenario in scenarios))
    assert score(blind, *words, "--output", "blind") == 0
    hit = rows("blind")[scenarios[0].token]
    assert float(hit["no_at_fault_collisions"]) == 0.0
    assert "vehicle_0" in hit["blame"]


def fails(capsys, *words: object) -> str:
    """Run a command that must fail with one sentence before it writes anything; return the sentence."""
    before = sorted(Path().rglob("*"))
    assert mine(*words) == 1
    assert sorted(Path().rglob("*")) == before
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("simengine score: ")
    return lines[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("token,t,x,y,yaw\nclear,0.5,nan,0,0\n", "line 2: x is nan"),
        ("token,t,x,y,yaw\nclear,0.5,4,0\n", "4 cells"),
        ("token,t,x,y,yaw\nclear,0.5,4,0,0\nclear,0.7,4,0,0\n", "expected"),
        ("token,t,x,y,yaw\nclear,0.5,4,0,0\nnobody,0.5,4,0,0\n", "token 'nobody' is not in split mine"),
        ("token,t,x,y\n", "no column yaw"),
        ("", "is empty"),
    ],
)
def test_malformed_plans_write_nothing(tmp_path, capsys, content, words):
    (tmp_path / "plans.csv").write_text(content)
    assert words in fails(capsys, "plans.csv")


def test_wrong_arguments(split, tmp_path, capsys):
    plans = write_plans(tmp_path / "plans.csv", logged(split[1]))
    assert "cannot be read" in fails(capsys, "absent.csv")
    assert "cannot be read" in fails(capsys, "splits")
    assert "'absent'" in fails(capsys, plans, "--split", "absent")
    assert "plans.csv is a file" in fails(capsys, plans, "--output", "plans.csv")
    assert "not empty" in fails(capsys, plans, "--output", "splits")
    assert main(["score", str(plans), "--split", "mine", "--workers", "0"]) == 1
    assert "--workers is 0" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        mine(plans, "--metric", "best")
    assert stop.value.code == 2


def test_an_empty_output_folder_is_used_and_others_stay(split, tmp_path):
    plans = write_plans(tmp_path / "plans.csv", *(straight(scenario) for scenario in split))
    Path("out").mkdir()
    assert mine(plans) == 0
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert mine(plans, "--overwrite") == 0
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_an_interrupted_evaluation_writes_nothing(split, tmp_path, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(score_command, "score_tokens", interrupted)
    plans = write_plans(tmp_path / "plans.csv", straight(split[1]))
    assert mine(plans) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not Path("out").exists()
