"""Loads the scenario that is likely to be next while another one is driven; results never depend on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from simengine.runner.handle import Handle
from simengine.scenario.scenario import Scenario


class Prefetch:
    """One scenario at a time, loaded by a thread.

    Args:
        prepare: given the scenario once it is loaded, in the thread of the caller; begins what else takes long.
    """

    def __init__(self, prepare: Callable[[Scenario], None]) -> None:
        self._prepare = prepare
        self._pool = ThreadPoolExecutor(1, "prefetch")
        self._early: tuple[str, Future[Scenario]] | None = None
        self._prepared = False

    def begin(self, handle: Handle | None) -> None:
        """Load `handle` in the background, unless an earlier one is still being loaded."""
        if handle is None or (self._early is not None and not self._early[1].done()):
            return
        self._early, self._prepared = (handle.token, self._pool.submit(handle.load)), False

    def poll(self) -> None:
        """Prepare the scenario if it has been loaded meanwhile; one that cannot be loaded fails when it is driven."""
        if self._early is None or self._prepared or not self._early[1].done():
            return
        self._prepared = True
        if self._early[1].exception() is None:
            self._prepare(self._early[1].result())

    def load(self, handle: Handle) -> Scenario:
        """Return the scenario of `handle`, loaded early or now."""
        if self._early is None or self._early[0] != handle.token:
            return handle.load()
        early, self._early = self._early[1], None
        return early.result()

    def close(self) -> None:
        """End the thread; what it is loading is of no use any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
