"""Workers that drive a straight road, and policies and handles that kill them; importable by worker processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from factories import make_scenario
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.dynamics.tracking import PerfectTracking
from simengine.files.atomic import write_atomically
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol

PATIENCE = 240.0  # many times what anything takes on an idle machine [s]


@dataclass(frozen=True)
class StraightHandle:
    """A straight drive; when loaded it leaves the id of its process in `begun`, so that a test can kill it.

    With `together` it waits until so many processes have begun one.
    """

    token: str
    begun: str = ""
    pause: float = 0.0
    together: int = 0

    def load(self):
        if self.begun:
            Path(self.begun).mkdir(exist_ok=True)
            # Whole as soon as it is there: the test reads it at once.
            path = Path(self.begun) / f"{self.token}.{time.monotonic_ns()}"
            write_atomically(path, str(os.getpid()).encode())
            end = time.monotonic() + PATIENCE
            while len(begun_by(self.begun)) < self.together:
                assert time.monotonic() < end, f"fewer than {self.together} processes have begun"
                time.sleep(0.02)
        time.sleep(self.pause)
        return replace(make_scenario(), token=self.token)


def begun_by(folder: str | Path) -> set[int]:
    """Return the ids of the processes that have begun a `StraightHandle`."""
    return {int(path.read_text()) for path in Path(folder).glob("[!.]*")}


@dataclass(frozen=True)
class DeadlyHandle:
    """Kills its process when loaded: always, or only the first time if `once` names a file."""

    token: str
    once: str = ""

    def load(self):
        if not self.once or not Path(self.once).exists():
            if self.once:
                Path(self.once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return replace(make_scenario(), token=self.token)


def make_straight_worker(root: Path) -> Worker:
    simulation = Simulation(Protocol(), PerfectTracking(), LogReplay)
    policies = PolicySource(lambda scenario, _: LogReplayPolicy(scenario))
    return Worker(simulation, policies, RunDirectory(root), WorkerSettings(0, "NR", "navsim_v1"))


def make_doomed_worker() -> Worker:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still here")
