"""Runs stages, several at a time, each once it can; what is done is not done again.

A stage counts when its marker is there, and the marker comes last. A stage that was interrupted runs again in the same
folder: the commands go on from what they find there.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from algengine.table.budget import Budget
from algengine.table.code import code_digest
from algengine.table.stage import Stage
from simengine.errors import SimEngineError
from simengine.files.atomic import write_atomically
from simengine.files.owner import sole_owner

_DIE_WITH_PARENT = 1
_POLL = 0.05
_TAIL = 15


@dataclass(frozen=True)
class _Running:
    """A command at work.

    Attributes:
        process: the command.
        share: cores that it may use.
        begun: when [s].
        code: digest of the code it began with.
    """

    process: subprocess.Popen
    share: int
    begun: float
    code: str


Progress = Callable[[Stage, str], None]
"""Called with a stage and `kept`, `begun` or `done`."""


def run_stages(
    stages: Sequence[Stage],
    root: Path,
    budget: Budget,
    environment: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> None:
    """Run what is not done yet.

    Args:
        stages: each after those it needs.
        root: the table's folder; commands run in it.
        budget: commands at a time, and the cores that they share.
        environment: variables to set besides those of this process.
        progress: see `Progress`.

    Raises:
        SimEngineError: a command failed; the others are stopped.
        ConfigError: another process works in `root`.
    """
    for folder in ("stages", "logs"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    with sole_owner(root):
        waiting = []
        for stage in stages:
            if is_done(stage, root):
                progress(stage, "kept")
            else:
                waiting.append(stage)
        running: dict[Stage, _Running] = {}
        try:
            while waiting or running:
                ready = [s for s in waiting if all(is_done(needed, root) for needed in s.needs)]
                for stage, share in budget.shares(ready, waiting, [one.share for one in running.values()]):
                    waiting.remove(stage)
                    threads = {"OMP_NUM_THREADS": str(budget.threads(stage))}
                    running[stage] = _start(stage, root, share, {**(environment or {}), **threads})
                    progress(stage, "begun")
                _collect(running, root, progress)
                time.sleep(_POLL)
        finally:
            _stop([one.process for one in running.values()])


def is_done(stage: Stage, root: Path) -> bool:
    """Return whether a stage has been done, and the folder that it wrote, if it has one, is still there."""
    return (root / stage.marker).is_file() and (not stage.writes_folder or (root / stage.folder).is_dir())


def _collect(running: dict[Stage, _Running], root: Path, progress: Progress) -> None:
    for stage, one in list(running.items()):
        status = one.process.poll()
        if status is None:
            continue
        del running[stage]
        if status != 0:
            lines = (root / stage.log).read_text(errors="replace").splitlines()[-_TAIL:]
            raise SimEngineError(
                f"the stage {stage.name} ended with exit code {status}, its last lines ({root / stage.log}):\n"
                + "\n".join(lines)
            )
        seconds = round(time.monotonic() - one.begun, 1)
        facts = {"name": stage.name, "key": stage.key, "code": one.code, "seconds": seconds}
        write_atomically(root / stage.marker, (json.dumps(facts) + "\n").encode())
        progress(stage, "done")


def _start(stage: Stage, root: Path, share: int, environment: Mapping[str, str]) -> _Running:
    code = code_digest()
    with (root / stage.log).open("wb") as log:
        process = subprocess.Popen(
            stage.command(share),
            cwd=root,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_dies_with_parent(),  # noqa: PLW1509, this process has one thread
        )
    return _Running(process, share, time.monotonic(), code)


def _dies_with_parent() -> Callable[[], None] | None:
    """A killed table must not leave commands behind that write beside those of the next try."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return lambda: library.prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _stop(processes: Sequence[subprocess.Popen]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(20.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
