"""Workers and run folders: isolation of failures, resume, seeds, and the same rows from Ray."""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from factories import make_scenario
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.dynamics.tracking import PerfectTracking
from simengine.errors import ConfigError, PlannerTimeoutError, SimEngineError
from simengine.metrics.table import scores_hash
from simengine.runner.local import run_sequential
from simengine.runner.process_pool import run_processes
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings, scenario_seed
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol


@dataclass(frozen=True)
class StraightHandle:
    """Makes a straight drive when loaded."""

    token: str
    broken: bool = False

    def load(self):
        if self.broken:
            raise ValueError("the disk\nis on fire")
        return replace(make_scenario(), token=self.token)


class FailingPolicy:
    """A planner that is lost in scenario `b`."""

    def __init__(self, scenario):
        self._inner, self._token = LogReplayPolicy(scenario), scenario.token

    def plan(self, observation, state):
        if self._token == "b":
            raise PlannerTimeoutError("no answer within 1 s")
        return self._inner.plan(observation, state)


def make_worker(root: Path, policy=LogReplayPolicy, finished=None) -> Worker:
    source = PolicySource(
        lambda scenario, _: policy(scenario), (finished if finished is not None else []).append
    )
    simulation = Simulation(Protocol(), PerfectTracking(), LogReplay)
    return Worker(simulation, source, RunDirectory(root), WorkerSettings(0, "NR", "navsim_v1"))


def test_one_broken_scenario_is_a_row_and_the_run_goes_on(tmp_path):
    finished: list[str] = []
    handles = [
        StraightHandle("a"),
        StraightHandle("b"),
        StraightHandle("c", broken=True),
        StraightHandle("d"),
    ]
    rows = list(run_sequential(handles, lambda: make_worker(tmp_path, FailingPolicy, finished)))
    assert [row.status for row in rows] == ["ok", "failed", "failed", "ok"]
    assert rows[1].error == "PlannerTimeoutError: no answer within 1 s"
    assert rows[2].error == "ValueError: the disk is on fire"
    assert "Traceback" in RunDirectory(tmp_path).failure("b").read_text()
    # A planner is told that a rollout is over even when it ended badly, so that it can drop its history.
    assert finished == ["a", "b", "d"]


def test_finished_rows_are_kept_and_failed_ones_run_again(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.open({"seed": 0}, resume=True)
    handles = [StraightHandle("a"), StraightHandle("b")]
    first = list(run_sequential(handles, lambda: make_worker(tmp_path, FailingPolicy)))
    assert [row.token for row in directory.finished(["a", "b", "never"])] == ["a"]
    again = list(run_sequential([handles[1]], lambda: make_worker(tmp_path)))
    assert again[0].status == "ok"
    assert not directory.failure("b").exists()
    assert directory.finished(["a"])[0].record_hash == first[0].record_hash


def test_a_folder_of_another_configuration_is_refused(tmp_path):
    RunDirectory(tmp_path).open({"seed": 0, "render": {"width_px": 320}}, resume=True)
    list(run_sequential([StraightHandle("a")], lambda: make_worker(tmp_path)))
    with pytest.raises(ConfigError, match="differs in render.width_px, seed"):
        RunDirectory(tmp_path).open({"seed": 1, "render": {"width_px": 640}}, resume=True)
    RunDirectory(tmp_path).open({"seed": 1, "render": {"width_px": 640}}, resume=False)


def test_starting_over_forgets_rows(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.open({}, resume=True)
    list(run_sequential([StraightHandle("a")], lambda: make_worker(tmp_path)))
    directory.open({}, resume=False)
    assert directory.finished(["a"]) == []


def test_seeds_depend_on_run_and_token_only():
    assert scenario_seed(0, "a") == scenario_seed(0, "a")
    assert len({scenario_seed(s, t) for s in (0, 1) for t in ("a", "b")}) == 4


def cannot_build() -> Worker:
    raise ConfigError("no such renderer")


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("pool", ["processes", "ray"])
def test_a_worker_that_cannot_be_built_is_the_error_itself(pool, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    if pool == "ray":
        from simengine.runner.ray_pool import run_ray as run
    else:
        run = run_processes
    with pytest.raises(SimEngineError, match="^no such renderer$"):
        list(run([StraightHandle("a"), StraightHandle("b")], cannot_build, num_workers=2))


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one(tmp_path):
    handles = [StraightHandle(f"s{i}") for i in range(5)]
    alone = list(run_sequential(handles, lambda: make_worker(tmp_path / "one")))
    pooled = list(run_processes(handles, functools.partial(make_worker, tmp_path / "two"), num_workers=2))
    assert scores_hash(pooled) == scores_hash(alone)


@pytest.mark.ray
@pytest.mark.slow
def test_two_ray_workers_give_the_rows_of_one(tmp_path, monkeypatch):
    # The workers import this module to make their worker, and with it the factories beside it.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    from simengine.runner.ray_pool import run_ray

    handles = [StraightHandle(f"s{i}") for i in range(5)]
    alone = list(run_sequential(handles, lambda: make_worker(tmp_path / "one")))
    pooled = list(run_ray(handles, functools.partial(make_worker, tmp_path / "two"), num_workers=2))
    assert scores_hash(pooled) == scores_hash(alone)
