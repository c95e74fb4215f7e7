"""Runs scenarios one after another in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from simengine.metrics.row import ScoreRow
from simengine.runner.dispatch import DispatchOptions, Event, dispatch
from simengine.runner.handle import Handle
from simengine.runner.worker import Worker


class _Here:
    """A crew of one, in this process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._given: tuple[Handle, Handle | None] | None = None

    def hire(self) -> str:
        return "here"

    def give(self, member: object, handle: Handle, following: Handle | None) -> None:
        self._given = handle, following

    def wait(self) -> Event:
        if self._given is None:
            return Event("here")
        given, self._given = self._given, None
        return Event("here", self._worker.run(*given))


def run_sequential(
    handles: Sequence[Handle], build: Callable[[], Worker], options: DispatchOptions | None = None
) -> Iterator[ScoreRow]:
    """Yield the row of each scenario as it is done; one that lost its planner is tried again last."""
    worker = build()
    try:
        yield from dispatch(handles, _Here(worker), 1, options or DispatchOptions(retries=0))
    finally:
        worker.close()
