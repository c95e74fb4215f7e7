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
PLANNER = '''
import sys, time
import numpy as np
from simengine.bridge.server import PlannerServer
from simengine.datatypes.plan import Plan

class Straight:
    """Goes on at the present speed; slow enough to be killed in the middle of a request."""

    name = "straight"

    def plan_batch(self, observations):
        with open(sys.argv[3], "a") as asked:
            asked.writelines(f"{o.token} {o.step}\\n" for o in observations)
        time.sleep(float(sys.argv[2]))
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

    def __init__(self, folder: Path, delay: float = 0.0) -> None:
        self.address = f"ipc://{folder}/p.sock"
        self._program = folder / "planner.py"
        self._program.write_text(PLANNER)
        self._delay, self._asked = delay, folder / "asked.txt"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, self._program, self.address, str(self._delay), self._asked]
        )

    def asked(self) -> list[tuple[str, int]]:
        """Return token and step of every observation so far."""
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        return [(token, int(step)) for token, step in map(str.split, lines)]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def planner(tmp_path):
    made = Planner(tmp_path)
    yield made
    made.kill()


def simengine(*words, cwd: Path, timeout: float = 240.0) -> subprocess.CompletedProcess:
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
        capture_output=True, text=True, timeout=300, check=False,
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
        capture_output=True, text=True, timeout=120, check=False,
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

    process = subprocess.Popen(
        [SIMENGINE, "run", "output_dir=parts", *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "parts").glob("rows/*.json")):
        assert time.monotonic() < deadline and process.poll() is None, "no scenario was finished"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert not (tmp_path / "parts" / "scores.csv").exists()

    resumed = simengine("run", "output_dir=parts", *words, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming:" in resumed.stderr
    assert rows_of(tmp_path / "parts") == rows_of(tmp_path / "whole")


@pytest.mark.slow
def test_a_killed_planner_costs_at_most_the_scenario_in_flight(tmp_path):
    planner = Planner(tmp_path, delay=0.3)
    try:
        process = subprocess.Popen(
            [
                SIMENGINE, "run", "num_scenarios=3", f"bridge.address={planner.address}", "bridge.connect_timeout=20",
                "report=false", "output_dir=out", "retries=0", *SMALL,
            ],
            cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        # In the middle of the second scenario: a request at its start would simply be asked again.
        while len({token for token, step in planner.asked() if step >= 2}) < 2:
            assert time.monotonic() < deadline and process.poll() is None, "the second scenario was not begun"
            time.sleep(0.05)
        planner.kill()
        time.sleep(2.5)
        planner.start()
        out, errors = process.communicate(timeout=180)
    finally:
        planner.kill()
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
