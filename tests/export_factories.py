"""Small rollouts in the original's layout: grey images, a dozen plans as vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from files_factories import GreyRenderer
from rewards_factories import busy_scenario, make_vocabulary
from simengine.agents.simple import LogReplayPolicy
from simengine.agents.traffic import LogReplay
from simengine.dynamics.tracking import PerfectTracking
from simengine.export.layout import OpenSceneFolder, openscene_of
from simengine.export.openscene import OpenSceneRecorder
from simengine.export.tables import write_tables
from simengine.metrics.table import write_scores_csv
from simengine.render.rig import nuplan_rig
from simengine.rewards.scorer import VocabularyScorer
from simengine.runner.rewards import RewardRecorder
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import NAVSIM, Protocol

VOCABULARY = make_vocabulary()


@dataclass(frozen=True)
class BusyHandle:
    """Makes a drive behind a slower car when loaded."""

    token: str

    def load(self):
        return busy_scenario(self.token)


def make_worker(
    run: Path,
    policy=LogReplayPolicy,
    protocol: Protocol = NAVSIM,
    tracker=None,
    rewards: bool = True,
    mode: str = "navsim_v1",
    vocabulary=VOCABULARY,
) -> Worker:
    """Return a worker that leaves frames, rewards, records and observations below `run`."""
    folder = openscene_of(run)
    tracker = tracker or PerfectTracking()
    recorder = RewardRecorder(VocabularyScorer(VOCABULARY, mode, 1), tracker, "both") if rewards else None
    frames = OpenSceneRecorder(folder, protocol.history_length, protocol.steps_per_decision, vocabulary)
    simulation = Simulation(protocol, tracker, LogReplay, GreyRenderer(), nuplan_rig(32, 18))
    settings = WorkerSettings(0, "NR", mode, record_cameras=None)
    source = PolicySource(lambda scenario, _: policy(scenario))
    return Worker(simulation, source, RunDirectory(run, folder.root), settings, recorder, frames)


def drive(run: Path, tokens: Sequence[str], **options: object) -> OpenSceneFolder:
    """Drive `tokens` as one run or part of a run, with its tables, and return its output."""
    worker, folder = make_worker(run, **options), openscene_of(run)
    rows = [worker.run(BusyHandle(token)) for token in tokens]
    assert [row.error for row in rows] == [""] * len(rows)
    write_scores_csv(run / "scores.csv", rows)
    write_tables(folder, "NR", rows)
    return folder


def contents(root: Path) -> dict[str, bytes]:
    """Return the bytes of every file below `root`, links followed."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            found[path.relative_to(root).as_posix()] = path.read_bytes()
        elif path.is_symlink():
            found |= {f"{path.relative_to(root)}/{k}": v for k, v in contents(path.resolve()).items()}
    return found
