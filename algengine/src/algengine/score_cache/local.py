"""Computes cache entries in this process or in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from algengine.score_cache.job import CacheJob
from simengine.errors import SimEngineError
from simengine.rewards.cache_entry import EntryResult
from simengine.scenario.splits import ScenarioHandle


class _Process:
    """The job of the process this module is loaded in."""

    job: CacheJob

    @classmethod
    def start(cls, job: CacheJob) -> None:
        """Remember what to do; Ctrl-C is the parent's to handle."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cls.job = job

    @classmethod
    def run(cls, handle: ScenarioHandle) -> EntryResult:
        """Return what became of one scenario."""
        return cls.job.run(handle)


def run_here(handles: Sequence[ScenarioHandle], job: CacheJob) -> Iterator[EntryResult]:
    """Yield the result of each scenario, one after another in this process."""
    for handle in handles:
        yield job.run(handle)


def run_processes(handles: Sequence[ScenarioHandle], job: CacheJob, workers: int) -> Iterator[EntryResult]:
    """Yield results in order of completion from `workers` processes.

    Raises:
        SimEngineError: a process died, for example for want of memory.
    """
    # Forked children would inherit threads that do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(handles)), context, _Process.start, (job,))
    try:
        for future in as_completed([pool.submit(_Process.run, handle) for handle in handles]):
            yield future.result()
    except BrokenProcessPool as error:
        raise SimEngineError(
            f"a process died ({error}), expected it to finish: run again to resume, with fewer --workers if memory "
            "ran out"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
