"""Gives scenarios to workers that may die: whoever is idle takes the next, what was lost is tried again."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from simengine.errors import SimEngineError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.runner.handle import Handle
from simengine.runner.worker import lost_its_planner

_LOG = logging.getLogger(__name__)
# Of each worker in a row, without one that got ready in between: such workers never will.
_FAILED_STARTS = 3


@dataclass(frozen=True)
class Event:
    """News of one member of a crew.

    Attributes:
        member: whom it is about.
        row: the result it was asked for; None if it has just got ready, or is lost.
        lost: how it died, "" if it lives.
    """

    member: Hashable
    row: ScoreRow | None = None
    lost: str = ""


class Crew(Protocol):
    """Workers in other processes."""

    def hire(self) -> Hashable:
        """Start another worker and return its name; an event tells when it is ready."""
        ...

    def give(self, member: Hashable, handle: Handle, following: Handle | None) -> None:
        """Let a worker that is ready drive a scenario; an event brings the row.

        `following` is what the worker will probably be given next.
        """
        ...

    def wait(self) -> Event:
        """Return the next event; a `SimEngineError` if a worker cannot be built or cannot save a result."""
        ...


@dataclass(frozen=True)
class DispatchOptions:
    """How scenarios are handed out.

    Attributes:
        retries: how many more times a scenario is begun after its worker died or its planner was lost.
        fail: makes the row of a scenario that is given up, from its token and the reason.
        watch: told the tokens that are being driven whenever they change.
    """

    retries: int = 5
    fail: Callable[[str, str], ScoreRow] = failed_row
    watch: Callable[[Sequence[str]], None] = lambda tokens: None


def dispatch(
    handles: Sequence[Handle], crew: Crew, size: int, options: DispatchOptions | None = None
) -> Iterator[ScoreRow]:
    """Yield one row per scenario, in order of completion, from at most `size` workers at a time.

    A scenario that was lost goes to the end of the queue, so that one which kills every worker is alone when it does so
    again. It ends after `retries` as a failed row; hence workers are replaced a bounded number of times.

    Raises:
        SimEngineError: workers die before they get ready, or cannot be built at all.
    """
    return _Dispatch(handles, crew, size, options or DispatchOptions()).rows()


class _Dispatch:
    """The state of one `dispatch`."""

    def __init__(self, handles: Sequence[Handle], crew: Crew, size: int, options: DispatchOptions) -> None:
        self._waiting = deque(handles)
        self._crew, self._size, self._options = crew, size, options
        self._tries: Counter[str] = Counter()
        self._starting: set[Hashable] = set()
        self._idle: list[Hashable] = []
        self._driving: dict[Hashable, Handle] = {}
        self._failed_starts = 0

    def rows(self) -> Iterator[ScoreRow]:
        """Yield rows until every scenario has one."""
        while self._waiting or self._driving:
            self._staff()
            event = self._crew.wait()
            handle = self._driving.pop(event.member, None)
            row = self._started(event) if handle is None else self._ended(handle, event)
            self._options.watch([handle.token for handle in self._driving.values()])
            if row is not None:
                yield row

    def _staff(self) -> None:
        """Give waiting scenarios to whoever is idle; hire where there are too few."""
        while self._waiting and self._idle:
            member, handle = self._idle.pop(), self._waiting.popleft()
            self._tries[handle.token] += 1
            self._driving[member] = handle
            self._crew.give(member, handle, self._following())
        wanted = min(self._size - len(self._driving), len(self._waiting))
        for _ in range(wanted - len(self._starting) - len(self._idle)):
            self._starting.add(self._crew.hire())
        self._options.watch([handle.token for handle in self._driving.values()])

    def _following(self) -> Handle | None:
        """Return what whoever was given a scenario just now may get next: the others are likely to be done before."""
        others = len(self._driving) - 1
        return self._waiting[others] if others < len(self._waiting) else None

    def _started(self, event: Event) -> None:
        """Note that a worker is ready, or is lost before it was or while it was idle."""
        if event.member not in self._starting:
            self._idle.remove(event.member)
            return
        self._starting.discard(event.member)
        if not event.lost:
            self._failed_starts = 0
            self._idle.append(event.member)
            return
        self._failed_starts += 1
        _LOG.warning("a worker died before it was ready (%s)", event.lost)
        if self._failed_starts >= _FAILED_STARTS * self._size:
            raise SimEngineError(
                f"{self._failed_starts} workers in a row died before they were ready (last: {event.lost}), expected "
                "them to start: run again to resume, with fewer num_workers if memory ran out"
            )

    def _ended(self, handle: Handle, event: Event) -> ScoreRow | None:
        """Return the row of a scenario, None if it is to be tried again."""
        token, tries = handle.token, self._tries[handle.token]
        if event.row is not None:
            self._idle.append(event.member)
            if not lost_its_planner(event.row):
                return event.row
        reason = event.row.error if event.row is not None else event.lost
        if tries <= self._options.retries:
            _LOG.warning("%s is tried again, %d of %d: %s", token, tries, self._options.retries, reason)
            self._waiting.append(handle)
            return None
        if event.row is not None:
            return event.row
        return self._options.fail(
            token, f"WorkerLostError: its worker died {tries} times, the last time: {reason}"
        )
