"""A score cache of a split: whatever is missing is computed, and the index is written however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from algengine.errors import DependencyError
from algengine.score_cache.job import CacheJob
from algengine.score_cache.local import run_here, run_processes
from simengine.rewards.cache_entry import EntryResult
from simengine.rewards.cache_index import open_index, save_index
from simengine.scenario.splits import ScenarioHandle


@dataclass(frozen=True)
class CacheReport:
    """What came of a split.

    Attributes:
        computed: number of tokens scored now.
        kept: number of tokens that were there already.
        failed: (token, sentence) of those that could not be scored.
    """

    computed: int
    kept: int
    failed: tuple[tuple[str, str], ...]


def build_cache(
    handles: Sequence[ScenarioHandle],
    job: CacheJob,
    workers: int = 1,
    use_ray: bool = False,
    progress: Callable[[EntryResult], None] = lambda result: None,
) -> CacheReport:
    """Compute the entries of `handles` that a cache does not have yet and return what came of them.

    Interrupted, it leaves a cache of what was done; entries do not depend on who computes them.

    Args:
        handles: scenarios; tokens that were imported are left alone.
        job: cache, vocabulary and mode.
        workers: processes, or cores for Ray.
        use_ray: Ray tasks instead of processes.
        progress: called with each result.

    Raises:
        ConfigError: the folder holds a cache of another vocabulary or mode.
        DependencyError: Ray is not installed.
    """
    index = open_index(job.directory, job.vocabulary, job.mode)
    waiting = [handle for handle in handles if handle.token not in index.imported]
    results: list[EntryResult] = []
    try:
        for result in _results(waiting, job, workers, use_ray):
            results.append(result)
            progress(result)
    finally:
        save_index(job.directory, index.with_keys({r.token: r.key for r in results if r.key}))
    computed = sum(result.computed for result in results)
    failed = tuple((result.token, result.error) for result in results if result.error)
    return CacheReport(computed, len(handles) - computed - len(failed), failed)


def _results(
    handles: list[ScenarioHandle], job: CacheJob, workers: int, use_ray: bool
) -> Iterator[EntryResult]:
    if not handles:
        return iter(())
    if not use_ray:
        return run_here(handles, job) if workers == 1 else run_processes(handles, job, workers)
    try:
        from algengine.score_cache.ray_tasks import run_ray
    except ImportError:
        raise DependencyError(
            "--ray needs the package ray, expected it to be installed: pip install 'simengine[ray]'"
        ) from None
    return run_ray(handles, job, workers)
