"""Runs scenarios on a pool of Ray actors; whoever is idle takes the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import ray

from simengine.errors import SimEngineError
from simengine.metrics.row import ScoreRow
from simengine.runner.worker import Handle, Worker


class _Actor:
    """Holds one worker; built inside the actor process, so nothing heavy is shipped."""

    def build(self, build: Callable[[], Worker]) -> None:
        """Build the worker; a method, because Ray hides what goes wrong in a constructor."""
        self._worker = build()

    def run(self, handle: Handle) -> ScoreRow:
        """Return the row of one scenario."""
        return self._worker.run(handle)

    def close(self) -> None:
        """Release the worker."""
        self._worker.close()


def run_ray(
    handles: Sequence[Handle], build: Callable[[], Worker], num_workers: int, num_gpus_per_worker: float = 0.0
) -> Iterator[ScoreRow]:
    """Yield rows in order of completion from `num_workers` actors.

    Args:
        handles: what to run.
        build: makes a worker; called once in each actor.
        num_workers: number of actors, at most one per scenario.
        num_gpus_per_worker: share of a GPU each actor reserves.

    Raises:
        SimEngineError: an actor could not be built or died.
    """
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, num_cpus=num_workers)
    try:
        remote = ray.remote(num_cpus=1, num_gpus=num_gpus_per_worker)(_Actor)
        actors = [remote.remote() for _ in range(min(num_workers, len(handles)))]
        ray.get([actor.build.remote(build) for actor in actors])
        waiting = list(reversed(handles))
        busy = {actor.run.remote(waiting.pop()): actor for actor in actors}
        while busy:
            done, _ = ray.wait(list(busy), num_returns=1)
            actor = busy.pop(done[0])
            row = ray.get(done[0])
            if waiting:
                busy[actor.run.remote(waiting.pop())] = actor
            yield row
        ray.get([actor.close.remote() for actor in actors])
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(error.cause, SimEngineError) else error
        raise SimEngineError(str(cause)) from error
    except ray.exceptions.RayError as error:
        raise SimEngineError(
            f"a Ray worker was lost ({error}), expected it to finish: run again to resume"
        ) from error
    finally:
        if started:
            ray.shutdown()
