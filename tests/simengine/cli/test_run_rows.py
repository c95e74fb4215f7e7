"""Rows of a run: on disk before they are told, complete even if their worker died, by the planner of the own card."""

import json

import pytest

from simengine.cli.progress import RunningTokens
from simengine.cli.run_rows import _given_up, drive
from simengine.config import build
from simengine.config.compose import compose_run
from simengine.errors import ConfigError
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import scenario_seed
from simengine.world.splits import builtin_handles

REPLAY = ("ego=log_replay", "render.backend=none", "controller=perfect")


def test_a_row_is_on_disk_when_it_is_told_and_what_runs_is_shown(tmp_path):
    config = compose_run([*REPLAY, f"output_dir={tmp_path}"])
    directory, seen = RunDirectory(tmp_path), []
    (handle,) = builtin_handles("demo", 1)
    for row in drive(config, [handle], directory, lambda tokens: seen.append(list(tokens))):
        assert json.loads(directory.row(row.token).read_text())["status"] == "ok"
    assert [handle.token] in seen
    assert seen[-1] == []


def test_a_row_without_a_worker_has_the_labels_of_the_others():
    config = compose_run([*REPLAY, "traffic=R", "seed=4"])
    row = _given_up(config, "a", "shot")
    assert (row.status, row.error, row.traffic, row.protocol) == ("failed", "shot", "R", "navsim")
    assert (row.mode, row.seed) == (config.metric, scenario_seed(4, "a"))


def test_a_planner_that_watches_a_folder_is_told_that_nothing_is_left_to_drive(tmp_path):
    # It deletes the flag of the run before when it starts, and would wait for frames.
    config = compose_run(["bridge.transport=files", f"output_dir={tmp_path}"])
    assert list(drive(config, [], RunDirectory(tmp_path), lambda tokens: None)) == []
    assert (tmp_path / "WE_output" / "simulation_completed.flag").exists()


def test_nothing_to_drive_starts_nothing(tmp_path):
    config = compose_run([*REPLAY, "worker=ray", "gpus_per_worker=64"])
    assert list(drive(config, [], RunDirectory(tmp_path), lambda tokens: None)) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("visible", "card"), [(None, "0"), ("", "0"), ("3", "3"), ("2,5", "2")])
def test_a_worker_dials_the_planner_of_its_card(monkeypatch, visible, card):
    dialled = []
    monkeypatch.setattr(build, "PlannerClient", lambda address, **_: dialled.append(address))
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    build._dial(compose_run(["bridge.address=ipc:///tmp/planner-__GPU__.sock"]))
    assert dialled == [f"ipc:///tmp/planner-{card}.sock"]


@pytest.mark.parametrize("word", ["retries=-1", "gpus_per_worker=-0.5", "cpus_per_worker=-1"])
def test_negative_numbers_are_refused(word):
    with pytest.raises(ConfigError, match="expected at least 0"):
        build.check(compose_run([*REPLAY, word]))


def test_the_bar_names_a_few_of_what_runs():
    class Bar:
        speed = 0.05

    column = RunningTokens()
    column.watch(["a", "b", "c", "d", "e"])
    assert column.render(Bar()).plain == "3/min  a, b, c and 2 more"
