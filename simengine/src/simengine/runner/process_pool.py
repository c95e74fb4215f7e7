"""Runs scenarios in several processes of this machine, without Ray."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from simengine.errors import SimEngineError
from simengine.metrics.row import ScoreRow
from simengine.runner.worker import Handle, Worker


class _Process:
    """The worker of the process this module is loaded in; the pool's initializer says how to build it.

    It is built with the first scenario, because a pool hides what goes wrong in an initializer.
    """

    build: Callable[[], Worker]
    worker: Worker | None = None

    @classmethod
    def start(cls, build: Callable[[], Worker]) -> None:
        """Remember how to build the worker of this process."""
        cls.build = build

    @classmethod
    def run(cls, handle: Handle) -> ScoreRow:
        """Return the row of one scenario."""
        if cls.worker is None:
            cls.worker = cls.build()
        return cls.worker.run(handle)


def run_processes(
    handles: Sequence[Handle], build: Callable[[], Worker], num_workers: int
) -> Iterator[ScoreRow]:
    """Yield rows in order of completion from `num_workers` processes.

    Raises:
        SimEngineError: a process died, for example for want of memory.
    """
    # Forked children would inherit sockets, threads and a CUDA context that do not survive a fork.
    pool = ProcessPoolExecutor(
        min(num_workers, len(handles)), multiprocessing.get_context("spawn"), _Process.start, (build,)
    )
    try:
        for future in as_completed([pool.submit(_Process.run, handle) for handle in handles]):
            yield future.result()
    except BrokenProcessPool as error:
        raise SimEngineError(
            f"a worker process died ({error}), expected it to finish: run again to resume, with fewer num_workers if "
            "memory ran out"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
