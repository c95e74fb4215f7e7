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
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol


@dataclass(frozen=True)
class StraightHandle:
    """A straight drive; when loaded it leaves the id of its process in `begun`, so that a test can kill it."""

    token: str
    begun: str = ""
    pause: float = 0.0

    def load(self):
        if self.begun:
            Path(self.begun).mkdir(exist_ok=True)
            (Path(self.begun) / f"{self.token}.{time.monotonic_ns()}").write_text(str(os.getpid()))
        time.sleep(self.pause)
        return replace(make_scenario(), token=self.token)


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
