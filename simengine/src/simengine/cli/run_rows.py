"""The rows of a run from the workers that its configuration names."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator, Iterator, Sequence

from simengine.config.build import build_worker, end_without_driving
from simengine.config.schema import RunConfig
from simengine.errors import ConfigError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.runner.dispatch import DispatchOptions
from simengine.runner.handle import Handle
from simengine.runner.local import run_sequential
from simengine.runner.process_pool import run_processes
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import scenario_seed


def drive(
    config: RunConfig,
    handles: Sequence[Handle],
    directory: RunDirectory,
    watch: Callable[[Sequence[str]], None],
) -> Generator[ScoreRow, None, None]:
    """Yield a row per scenario, in order of completion; each is on disk before it is yielded.

    Args:
        config: settled.
        handles: what to drive.
        directory: where rows go.
        watch: told the tokens that are being driven whenever they change.
    """
    if not handles:
        end_without_driving(config)
        return
    options = DispatchOptions(config.retries, functools.partial(_given_up, config), watch)
    for row in _rows(config, handles, options):
        # A worker has saved it where it runs; this is for a node without our folder, and for a worker that died.
        directory.save_row(row)
        yield row


def _rows(config: RunConfig, handles: Sequence[Handle], options: DispatchOptions) -> Iterator[ScoreRow]:
    build = functools.partial(build_worker, config)
    if config.worker == "sequential":
        return run_sequential(handles, build, options)
    if config.worker == "processes":
        return run_processes(handles, build, config.num_workers or os.cpu_count() or 1, options)
    try:
        from simengine.runner.ray_pool import Share, run_ray
    except ImportError as error:
        raise ConfigError(
            "worker=ray needs the package ray, expected it to be installed: pip install 'simengine[ray]'"
        ) from error
    share = Share(config.gpus_per_worker, config.cpus_per_worker)
    return run_ray(handles, build, config.num_workers, share, options)


def _given_up(config: RunConfig, token: str, reason: str) -> ScoreRow:
    """Return the row of a scenario that has no worker to make it."""
    return failed_row(
        token,
        reason,
        mode="" if config.metric in (None, "none") else config.metric,
        protocol=config.protocol.name,
        traffic=config.traffic,
        seed=scenario_seed(config.seed, token),
    )
