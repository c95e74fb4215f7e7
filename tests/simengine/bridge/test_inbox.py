"""The inbox: when a batch starts, and what it holds."""

from __future__ import annotations

import threading
import time

from bridge_factories import make_observation
from simengine.bridge.inbox import Inbox, Job


def job(who: int, request: int = 0) -> Job:
    return Job(b"%d" % who, request, make_observation(f"t{who}"))


def test_a_lone_simulator_does_not_wait_for_others() -> None:
    inbox = Inbox()
    inbox.put(job(1))
    start = time.monotonic()
    assert [j.identity for j in inbox.take(8, 60.0, 1.0).jobs] == [b"1"]
    assert time.monotonic() - start < 30.0


def test_a_batch_waits_for_whoever_asked_lately_but_only_for_the_window(monkeypatch) -> None:
    monkeypatch.setattr("simengine.bridge.inbox._RECENT", 600.0)
    inbox = Inbox()
    inbox.put(job(1))
    inbox.put(job(2))
    assert len(inbox.take(8, 0.0, 0.0).jobs) == 2
    inbox.put(job(1))
    late = threading.Timer(0.05, inbox.put, [job(2)])
    late.start()
    assert len(inbox.take(8, 60.0, 0.0).jobs) == 2  # ends as soon as both are there
    late.join()
    inbox.put(job(1))
    start = time.monotonic()
    assert len(inbox.take(8, 0.05, 0.0).jobs) == 1
    assert time.monotonic() - start > 0.04


def test_batches_are_bounded_and_in_order() -> None:
    inbox = Inbox()
    for who in range(5):
        inbox.put(job(who))
    assert [j.identity for j in inbox.take(3, 0.0, 0.0).jobs] == [b"0", b"1", b"2"]
    assert [j.identity for j in inbox.take(3, 0.0, 0.0).jobs] == [b"3", b"4"]
    assert inbox.take(3, 0.0, 0.0).jobs == []


def test_discarding_and_forgetting() -> None:
    inbox = Inbox()
    inbox.put(job(1))
    inbox.put(job(2))
    inbox.discard(b"1")
    inbox.forget({"t1", "t0"})
    work = inbox.take(8, 5.0, 0.0)
    assert work.forgotten == ["t0", "t1"]
    assert [j.identity for j in work.jobs] == [b"2"]
    assert len(inbox) == 0
