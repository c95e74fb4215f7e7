"""Computes cache entries in tasks of a Ray cluster; they go to a folder that all nodes share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import ray

from algengine.score_cache.job import CacheJob
from simengine.errors import SimEngineError
from simengine.rewards.cache_entry import EntryResult
from simengine.scenario.splits import ScenarioHandle


def run_ray(
    handles: Sequence[ScenarioHandle], job: CacheJob, workers: int, chunk: int = 8
) -> Iterator[EntryResult]:
    """Yield results in order of completion from Ray tasks of `chunk` scenarios each.

    The cluster that `RAY_ADDRESS` names is used if it is set; otherwise `workers` cores of this machine.

    Raises:
        SimEngineError: a task was lost.
    """
    started = not ray.is_initialized()
    if started:
        size = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers, "include_dashboard": False}
        ray.init(log_to_driver=False, configure_logging=False, **size)
    try:
        # The vocabulary is sent once, not with every task.
        shared, task = ray.put(job), ray.remote(num_cpus=1)(_run)
        parts = [handles[i : i + chunk] for i in range(0, len(handles), chunk)]
        waiting = [task.remote(shared, part) for part in parts]
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            yield from ray.get(done[0])
    except ray.exceptions.RayError as error:
        raise SimEngineError(
            f"a Ray task was lost ({error}), expected it to finish: run again to resume"
        ) from error
    finally:
        if started:
            ray.shutdown()


def _run(job: CacheJob, handles: Sequence[ScenarioHandle]) -> list[EntryResult]:
    return [job.run(handle) for handle in handles]
