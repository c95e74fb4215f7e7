"""A run whose workers, planner and driver are killed again and again ends with the scores of an undisturbed one.

SURVIVAL_SCENARIOS, SURVIVAL_WORKERS and SURVIVAL_PERIOD (seconds between two killed workers) make it larger.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from simengine.metrics.table import read_scores_csv

SIMENGINE = Path(sys.executable).with_name("simengine")
SCENARIOS = int(os.environ.get("SURVIVAL_SCENARIOS", "12"))
WORKERS = int(os.environ.get("SURVIVAL_WORKERS", "2"))
PERIOD = float(os.environ.get("SURVIVAL_PERIOD", "5"))
PATIENCE = 600.0 + 20.0 * SCENARIOS  # many times what a run takes on an idle machine [s]
SPLIT = "common_test"
LOST_PLANNER = "of 5: PlannerTimeoutError"
PLANNER = '''
import sys, time
from pathlib import Path
import numpy as np
from simengine.bridge.server import PlannerServer
from simengine.datatypes.plan import Plan

class Swerving:
    """Remembers a rollout: how far it swerves depends on all speeds so far."""

    name = "swerving"

    def __init__(self):
        self._speeds = {}

    def plan_batch(self, observations):
        folder = Path(sys.argv[2])
        while max(o.step for o in observations) >= 2 and (folder / "hold").exists():
            (folder / "held").touch()  # in the middle of a rollout
            time.sleep(0.01)
        return [self._plan(o) for o in observations]

    def _plan(self, o):
        if o.step == 0:
            self._speeds[o.token] = {}  # an earlier try may have ended without a word
        speed = float(o.velocity_history[-1, 0])
        speeds = self._speeds.setdefault(o.token, {})
        speeds[o.step] = speed
        t = 0.1 * np.arange(1, 41)
        return Plan(np.stack([speed * t, 1e-4 * sum(speeds.values()) * t**2, 0 * t], axis=1), 0.1)

    def forget(self, token):
        self._speeds.pop(token, None)

PlannerServer(Swerving(), sys.argv[1]).serve_forever()
'''


class Planner:
    """A planner process that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.address = f"ipc://{folder}/p.sock"
        self._folder, self._hold, self._held = folder, folder / "hold", folder / "held"
        (folder / "planner.py").write_text(PLANNER)
        self.start()

    def start(self) -> None:
        words = [sys.executable, self._folder / "planner.py", self.address, self._folder]
        self.process = subprocess.Popen(words)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def kill_in_the_middle(self, driver: subprocess.Popen) -> None:
        """Kill it in the middle of a rollout."""
        self._hold.touch()
        wait_until(self._held.exists, driver)
        self.kill()
        self._hold.unlink()
        self._held.unlink()


class Reaper:
    """Kills one of the Ray workers of a driver as soon as one drives, and then one every PERIOD seconds.

    It waits for one more row between two of them: on a busy machine it would kill workers faster than they start.
    """

    def __init__(self, driver: int, root: Path) -> None:
        self.killed = 0
        self._driver, self._root, self._ended = driver, root, threading.Event()
        self._thread = threading.Thread(target=self._reap, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _reap(self) -> None:
        chance, rows, earliest = random.Random(0), -1, 0.0
        while not self._ended.wait(0.05):
            if time.monotonic() < earliest or num_rows(self._root) <= rows:
                continue
            driving = [p for p in descendants(self._driver) if command(p).startswith(b"ray::_Actor.run")]
            if driving:
                os.kill(chance.choice(driving), signal.SIGKILL)
                self.killed += 1
                rows, earliest = num_rows(self._root), time.monotonic() + PERIOD


def descendants(process_id: int) -> list[int]:
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, new = [], [process_id]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def command(process_id: int) -> bytes:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes()
    except OSError:
        return b""


def num_rows(root: Path) -> int:
    return len(list(root.glob("rows/*.json")))


def wait_until(happened: Callable[[], bool], process: subprocess.Popen, seconds: float = PATIENCE) -> None:
    """Return when it has happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None, "the driver ended before it happened"
        assert time.monotonic() < deadline, f"nothing happened within {seconds:g} s"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.ray
def test_killed_workers_planners_and_drivers_change_no_score(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    planner, driver = Planner(tmp_path), None
    words = [
        SIMENGINE, "run", f"split={SPLIT}", f"num_scenarios={SCENARIOS}", f"bridge.address={planner.address}",
        "report=false", "render.width_px=32", "render.height_px=18", "record.cameras=none",
    ]  # fmt: skip
    try:
        begun = time.monotonic()
        whole = subprocess.run(
            [*words, "output_dir=whole"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert whole.returncode == 0, whole.stderr
        print(f"undisturbed: {time.monotonic() - begun:.0f} s")

        begun, killed, returned, errors = time.monotonic(), 0, [], ""
        parts, log = tmp_path / "parts", tmp_path / "errors.txt"
        for goal in (SCENARIOS // 4, SCENARIOS * 5 // 8, None):
            with open(log, "a") as opened:
                driver = subprocess.Popen(
                    [*words, "output_dir=parts", "worker=ray", f"num_workers={WORKERS}"],
                    cwd=tmp_path, stderr=opened, stdout=subprocess.DEVNULL,
                )  # fmt: skip
            reaper = Reaper(driver.pid, parts)
            if goal is not None:
                wait_until(lambda: num_rows(parts) >= goal, driver)  # noqa: B023
                reaper.stop()  # so that the worker lives to see that its planner is gone
                planner.kill_in_the_middle(driver)
                time.sleep(0.5)  # it is gone for a while
                planner.start()
                lost = errors.count(LOST_PLANNER) + 1
                wait_until(lambda: log.read_text().count(LOST_PLANNER) >= lost, driver)  # noqa: B023
                driver.send_signal(signal.SIGINT)
            returned.append(driver.wait(timeout=PATIENCE))
            reaper.stop()
            killed += reaper.killed
            errors = log.read_text()
        print(f"disturbed: {time.monotonic() - begun:.0f} s, {killed} workers killed")
    finally:
        planner.kill()
        if driver is not None and driver.poll() is None:
            driver.kill()
    assert returned == [130, 130, 0], errors
    assert killed > 0
    assert errors.count("resuming:") == 2
    assert errors.count(LOST_PLANNER) >= 2
    assert "Traceback" not in errors
    assert all(row.status == "ok" for row in read_scores_csv(parts / "scores.csv"))
    assert (parts / "scores.csv").read_bytes() == (tmp_path / "whole" / "scores.csv").read_bytes()
