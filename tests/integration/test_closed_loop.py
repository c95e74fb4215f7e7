"""The whole chain over the socket: planner process, simulator process, scores on disk, faults in between."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simengine.metrics.table import read_scores_csv

SIMENGINE = Path(sys.executable).with_name("simengine")
SMALL = ("render.width_px=64", "render.height_px=36")
PATIENCE = 300.0  # many times what anything takes on an idle machine [s]
PLANNER = '''
import sys, time
from pathlib import Path
import numpy as np
from simengine.bridge.server import PlannerServer
from simengine.datatypes.plan import Plan

class Straight:
    """Goes on at the present speed; in its second rollout it waits as long as the file `hold` is there."""

    name = "straight"
    seen = set()

    def plan_batch(self, observations):
        folder = Path(sys.argv[2])
        self.seen.update(o.token for o in observations)
        while len(self.seen) > 1 and observations[0].step >= 2 and (folder / "hold").exists():
            (folder / "held").touch()
            time.sleep(0.01)
        plans = []
        for o in observations:
            assert len(o.images) == 8, sorted(o.images)
            x = o.velocity_history[-1, 0] * 0.1 * np.arange(1, 41)
            plans.append(Plan(np.stack([x, 0 * x, 0 * x], axis=1), 0.1))
        return plans

    def forget(self, token):
        pass

PlannerServer(Straight(), sys.argv[1]).serve_forever()
'''


class Planner:
    """A planner process at an address."""

    def __init__(self, folder: Path) -> None:
        self.address = f"ipc://{folder}/p.sock"
        self._folder = folder
        (folder / "planner.py").write_text(PLANNER)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, self._folder / "planner.py", self.address, self._folder]
        )

    def hold(self) -> None:
        """Let a new process wait in the middle of its second rollout."""
        self.kill()
        (self._folder / "hold").touch()
        self.start()

    def wait_until_held(self, simulator: subprocess.Popen) -> None:
        deadline = time.monotonic() + PATIENCE
        while not (self._folder / "held").exists():
            assert time.monotonic() < deadline and simulator.poll() is None, "no second scenario was begun"
            time.sleep(0.02)

    def go_on(self) -> None:
        (self._folder / "hold").unlink()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def planner(tmp_path):
    made = Planner(tmp_path)
    yield made
    made.kill()


def simengine(*words, cwd: Path, timeout: float = PATIENCE) -> subprocess.CompletedProcess:
    return subprocess.run(
        [SIMENGINE, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )


def rows_of(folder: Path) -> bytes:
    return (folder / "scores.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("traffic", ["NR", "R"])
def test_a_planner_behind_the_socket_is_driven_scored_and_reported(planner, tmp_path, traffic):
    done = simengine(
        "run", "num_scenarios=2", f"traffic={traffic}", f"bridge.address={planner.address}", "output_dir=out", *SMALL,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    rows = read_scores_csv(out / "scores.csv")
    assert [row.status for row in rows] == ["ok", "ok"]
    assert all(0.0 <= row.score <= 1.0 and row.traffic == traffic for row in rows)
    assert (
        (out / f"all_scenes_pdm_averages_{traffic}.csv")
        .read_text()
        .splitlines()[-1]
        .startswith("overall_average")
    )
    assert json.loads((out / "summary.json").read_text())["counts"]["ok"] == 2
    report = (out / "report.html").read_text()
    assert all(row.token in report for row in rows)
    assert "ego_progress" in done.stdout


@pytest.mark.slow
@pytest.mark.ray
def test_one_and_two_ray_workers_give_the_same_scores(planner, tmp_path):
    words = ("num_scenarios=4", "worker=ray", f"bridge.address={planner.address}", "report=false", *SMALL)
    for count in (1, 2):
        done = simengine("run", f"output_dir=out{count}", f"num_workers={count}", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert rows_of(tmp_path / "out1") == rows_of(tmp_path / "out2")


@pytest.mark.slow
@pytest.mark.mm
def test_the_main_job_with_the_shipped_planner(tmp_path):
    script = Path(__file__).parents[2] / "scripts" / "closed_loop_test.sh"
    done = subprocess.run(
        ["bash", script, "num_scenarios=2", f"output_dir={tmp_path / 'socket'}"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "socket" / "report.html").exists()
    done = simengine(
        "run", "num_scenarios=2", "bridge.in_process=algengine.serving.load:load_shipped", "report=false",
        "output_dir=in_process", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # The same planner drives the same way without a socket in between.
    assert rows_of(tmp_path / "in_process") == rows_of(tmp_path / "socket")


@pytest.mark.slow
@pytest.mark.mm
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("no_such_config.py", "absent.pth", "m", "demo", "NR"), "absent.pth"),
        (("a", "b", "c"), "positional arguments"),
        (("a", "b", "c", "demo", "X"), "NR or R"),
    ],
)
def test_the_launcher_refuses_wrong_arguments(tmp_path, words, expected):
    script = Path(__file__).parents[2] / "scripts" / "closed_loop_test.sh"
    done = subprocess.run(
        ["bash", script, *words, f"output_dir={tmp_path / 'out'}"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_interrupted_and_resumed_equals_undisturbed(planner, tmp_path):
    words = ("num_scenarios=3", f"bridge.address={planner.address}", "report=false", *SMALL)
    whole = simengine("run", "output_dir=whole", *words, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr

    planner.hold()
    process = subprocess.Popen(
        [SIMENGINE, "run", "output_dir=parts", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    planner.wait_until_held(process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert not (tmp_path / "parts" / "scores.csv").exists()
    assert len(list((tmp_path / "parts").glob("rows/*.json"))) == 1
    planner.go_on()

    resumed = simengine("run", "output_dir=parts", *words, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming:" in resumed.stderr
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_planner_costs_at_most_the_scenario_in_flight(planner, tmp_path):
    planner.hold()
    process = subprocess.Popen(
        [
            SIMENGINE, "run", "num_scenarios=3", f"bridge.address={planner.address}", "output_dir=out", "retries=0",
            f"bridge.connect_timeout={PATIENCE}", "report=false", *SMALL,
        ],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    # In the middle of a scenario: a request at its start would simply be asked again.
    planner.wait_until_held(process)
    planner.kill()
    planner.go_on()
    time.sleep(0.5)  # it is gone for a while
    planner.start()
    out, errors = process.communicate(timeout=PATIENCE)
    rows = read_scores_csv(tmp_path / "out" / "scores.csv")
    assert [row.status for row in rows].count("failed") == 1, errors
    failed = next(row for row in rows if row.status == "failed")
    assert failed.error.startswith("PlannerTimeoutError"), failed.error
    assert failed.token in errors
    assert process.returncode == 1, out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("split=nowhere",), "nowhere"),
        (("colour=red",), "colour"),
        (("traffic=maybe",), "traffic"),
        (("render.backend=none",), "ego=planner needs images"),
    ],
)
def test_mistakes_end_in_one_sentence_and_leave_nothing(tmp_path, words, expected):
    done = simengine("run", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert os.listdir(tmp_path) == []
