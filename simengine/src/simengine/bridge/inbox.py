"""Requests waiting for the planner, and when a batch is full enough to start."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from simengine.datatypes.observation import Observation

_RECENT = 1.0


@dataclass(frozen=True)
class Job:
    """One request.

    Attributes:
        identity: who asks.
        request: number to answer under.
        observation: what to plan for.
    """

    identity: bytes
    request: int
    observation: Observation


@dataclass(frozen=True)
class Work:
    """What the planner does next.

    Attributes:
        forgotten: rollouts that have ended; drop them first.
        jobs: at most one batch of requests; may be empty.
    """

    forgotten: list[str]
    jobs: list[Job]


class Inbox:
    """A queue between the thread that receives and the thread that plans."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._forgotten: list[str] = []
        self._last_asked: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: Job) -> None:
        """Add a request."""
        with self._changed:
            self._jobs.append(job)
            self._last_asked[job.identity] = time.monotonic()
            self._changed.notify()

    def forget(self, tokens: set[str]) -> None:
        """Add rollouts that have ended; whoever ended them has no request for them waiting."""
        with self._changed:
            self._forgotten.extend(sorted(tokens))
            self._changed.notify()

    def discard(self, identity: bytes) -> None:
        """Drop the requests of someone who no longer waits."""
        with self._changed:
            self._last_asked.pop(identity, None)
            self._jobs = deque(job for job in self._jobs if job.identity != identity)

    def take(self, max_batch: int, window: float, timeout: float) -> Work:
        """Return the next work, empty after `timeout` seconds without any.

        Once one request is there, others get `window` seconds to join it; there is no such wait when
        everyone who asked within the last second is already waiting.
        """
        with self._changed:
            if not self._jobs and not self._forgotten:
                self._changed.wait(timeout)
            if self._jobs:
                self._wait_for_others(max_batch, window)
            forgotten, self._forgotten = self._forgotten, []
            jobs = [self._jobs.popleft() for _ in range(min(max_batch, len(self._jobs)))]
            return Work(forgotten, jobs)

    def _wait_for_others(self, max_batch: int, window: float) -> None:
        end = time.monotonic() + window
        while True:
            now = time.monotonic()
            expected = sum(asked > now - _RECENT for asked in self._last_asked.values())
            if len(self._jobs) >= min(max_batch, expected) or now >= end:
                return
            self._changed.wait(end - now)
