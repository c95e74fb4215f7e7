"""Sessions: dialling again, taking over rollouts, and expiry."""

from __future__ import annotations

from simengine.bridge.sessions import SessionBook


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_dialling_again_keeps_the_rollouts() -> None:
    book = SessionBook(10.0)
    assert book.open(b"1", "anna") == []
    assert book.claim(book.get(b"1"), "t", 0)
    assert book.open(b"2", "anna") == [b"1"]
    assert book.get(b"1") is None and len(book) == 1
    assert book.claim(book.get(b"2"), "t", 3)
    assert book.close(b"2") == {"t"}
    assert book.close(b"2") == set()


def test_two_simulators_cannot_drive_one_rollout() -> None:
    book = SessionBook(10.0)
    book.open(b"1", "anna")
    book.open(b"2", "bert")
    anna, bert = book.get(b"1"), book.get(b"2")
    assert book.claim(anna, "t", 4)  # the planner may be younger than the rollout
    assert not book.claim(bert, "t", 1)
    assert book.claim(bert, "t", 0)  # starts afresh: takes over
    assert not book.claim(anna, "t", 5)
    assert not book.release(anna, "t")
    assert book.close(b"1") == set()
    assert book.release(bert, "t")
    assert book.claim(bert, "t", 5)


def test_silent_sessions_expire() -> None:
    clock = Clock()
    book = SessionBook(10.0, clock)
    book.open(b"1", "anna")
    book.open(b"2", "bert")
    clock.now = 9.0
    book.get(b"2")
    clock.now = 11.0
    assert book.expired() == [b"1"]
