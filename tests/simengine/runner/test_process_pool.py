"""Processes that are killed, that orphan others, that never start; the rows are those of an undisturbed run."""

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runner_factories import (
    PATIENCE,
    DeadlyHandle,
    StraightHandle,
    begun_by,
    make_doomed_worker,
    make_straight_worker,
)
from simengine.errors import SimEngineError
from simengine.metrics.table import scores_hash
from simengine.runner.dispatch import DispatchOptions
from simengine.runner.local import run_sequential
from simengine.runner.process_pool import run_processes
from simengine.runner.run_directory import RunDirectory

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    # Workers import the factories to make their worker.
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def alone(tmp_path, tokens):
    return list(
        run_sequential([StraightHandle(t) for t in tokens], lambda: make_straight_worker(tmp_path / "one"))
    )


def test_a_killed_worker_is_replaced_and_its_scenario_driven_again(tmp_path):
    tokens = [f"s{i}" for i in range(4)]
    handles = [StraightHandle(t) if t != "s1" else DeadlyHandle(t, str(tmp_path / "once")) for t in tokens]
    build = functools.partial(make_straight_worker, tmp_path / "two")
    rows = list(run_processes(handles, build, 2))
    assert scores_hash(rows) == scores_hash(alone(tmp_path, tokens))
    assert len(RunDirectory(tmp_path / "two").finished(tokens)) == 4


def test_a_scenario_that_always_kills_its_worker_is_a_failed_row(tmp_path):
    build = functools.partial(make_straight_worker, tmp_path / "two")
    handles = [DeadlyHandle("bad"), StraightHandle("good")]
    # More workers than scenarios: no more than two are started.
    rows = {row.token: row for row in run_processes(handles, build, 8, DispatchOptions(retries=1))}
    assert rows["good"].status == "ok"
    assert rows["bad"].error.startswith("WorkerLostError: its worker died 2 times")
    assert "SIGKILL" in rows["bad"].error


def test_workers_that_die_at_birth_end_the_run(tmp_path):
    with pytest.raises(SimEngineError, match="died before they were ready"):
        list(run_processes([StraightHandle("a")], make_doomed_worker, 1))


PARENT = """
import functools, signal, sys
from pathlib import Path
from runner_factories import StraightHandle, make_straight_worker
from simengine.runner.process_pool import run_processes

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = Path(sys.argv[1])
    build = functools.partial(make_straight_worker, root / "out")
    handles = [StraightHandle(f"s{i}", str(root / "begun"), pause=600.0) for i in range(2)]
    try:
        list(run_processes(handles, build, 2))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, end):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", tmp_path],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while len(list((tmp_path / "begun").glob("s?.*"))) < 2:
        assert time.monotonic() < deadline and parent.poll() is None, "no scenario was begun"
        time.sleep(0.05)
    workers = begun_by(tmp_path / "begun")
    if end == signal.SIGINT:
        os.killpg(parent.pid, end)  # as a terminal does
    else:
        os.kill(parent.pid, end)
    _, errors = parent.communicate(timeout=PATIENCE)
    assert parent.returncode == (130 if end == signal.SIGINT else -end), errors
    assert "Traceback" not in errors
    while any(is_running(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker has outlived its parent"
        time.sleep(0.05)
    assert RunDirectory(tmp_path / "out").finished(["s0", "s1"]) == []


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
