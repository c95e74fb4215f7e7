"""The hand-out of scenarios against a crew without processes, whose members die at will."""

from collections import Counter, deque
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simengine.errors import SimEngineError
from simengine.metrics.row import ScoreRow, failed_row
from simengine.runner.dispatch import DispatchOptions, Event, dispatch


@dataclass(frozen=True)
class Name:
    token: str


class ScriptedCrew:
    """Members are numbers; `fate` says what becomes of the n-th try of a token: ok, dies or planner."""

    def __init__(self, fate=lambda token, n: "ok", stillborn=lambda member: False, order=lambda n: 0):
        self.fate, self.stillborn, self.order = fate, stillborn, order
        self.hired = 0
        self.alive: set[int] = set()
        self.most_alive = 0
        self.tries: Counter[str] = Counter()
        self.begun: list[str] = []
        self.hints: list[tuple[str, str | None]] = []
        self._events: deque[Event] = deque()

    def hire(self):
        self.hired += 1
        self.alive.add(self.hired)
        self.most_alive = max(self.most_alive, len(self.alive))
        self._events.append(Event(self.hired, lost="stillborn" if self.stillborn(self.hired) else ""))
        return self.hired

    def give(self, member, handle, following):
        assert member in self.alive
        self.hints.append((handle.token, following and following.token))
        self.tries[handle.token] += 1
        self.begun.append(handle.token)
        fate = self.fate(handle.token, self.tries[handle.token])
        row = ScoreRow(handle.token, "ok") if fate == "ok" else None
        if fate == "planner":
            row = failed_row(handle.token, "PlannerTimeoutError: gone")
        self._events.append(Event(member, row, "" if row else "shot"))

    def wait(self):
        assert self._events, "waits for nobody"
        self._events.rotate(-(self.order(len(self._events)) % len(self._events)))
        event = self._events.popleft()
        if event.lost:
            self.alive.discard(event.member)
        return event


def names(count):
    return [Name(f"s{i}") for i in range(count)]


@given(
    st.integers(0, 12),
    st.integers(1, 6),
    st.integers(0, 3),
    st.dictionaries(
        st.integers(0, 11), st.lists(st.sampled_from(["ok", "dies", "planner"]), max_size=4), max_size=12
    ),
    st.randoms(use_true_random=False),
)
def test_every_scenario_has_one_row_whatever_dies(count, size, retries, fates, random):
    def fate(token, n):
        planned = fates.get(int(token[1:]), [])
        return planned[n - 1] if n <= len(planned) else "ok"

    crew = ScriptedCrew(fate, order=random.randrange)
    rows = list(dispatch(names(count), crew, size, DispatchOptions(retries)))
    assert sorted(row.token for row in rows) == sorted(name.token for name in names(count))
    assert crew.most_alive <= min(size, count)
    for row in rows:
        outcomes = [fate(row.token, n) for n in range(1, retries + 2)]
        assert (row.status == "ok") == ("ok" in outcomes)
        assert crew.tries[row.token] == (outcomes.index("ok") + 1 if "ok" in outcomes else retries + 1)


def test_a_scenario_that_kills_every_worker_is_tried_last_and_given_up():
    crew = ScriptedCrew(lambda token, n: "dies" if token == "s0" else "ok")
    rows = list(dispatch(names(4), crew, 1, DispatchOptions(retries=2)))
    assert [row.token for row in rows] == ["s1", "s2", "s3", "s0"]
    assert rows[-1].error == "WorkerLostError: its worker died 3 times, the last time: shot"
    assert crew.begun == ["s0", "s1", "s2", "s3", "s0", "s0"]
    assert crew.hired == 3  # one at first, one after each death that left something to do


def test_a_failure_of_the_scenario_itself_is_not_tried_again():
    crew = ScriptedCrew()
    crew.give = lambda member, handle, following: crew._events.append(
        Event(member, failed_row(handle.token, "ValueError: no map"))
    )
    rows = list(dispatch(names(2), crew, 1, DispatchOptions(retries=3)))
    assert [row.error for row in rows] == ["ValueError: no map"] * 2


def test_workers_that_never_get_ready_end_the_run():
    crew = ScriptedCrew(stillborn=lambda member: True)
    with pytest.raises(SimEngineError, match="died before they were ready"):
        list(dispatch(names(5), crew, 2))
    assert crew.hired <= 3 * 2 + 1


def test_some_that_never_get_ready_do_not():
    crew = ScriptedCrew(stillborn=lambda member: member % 3 != 0)
    assert len(list(dispatch(names(20), crew, 4))) == 20


def test_what_runs_is_told():
    seen = []
    options = DispatchOptions(watch=lambda tokens: seen.append(tuple(tokens)))
    list(dispatch(names(3), ScriptedCrew(), 2, options))
    assert ("s0", "s1") in seen
    assert seen[-1] == ()


def test_the_given_up_row_is_made_as_asked():
    crew = ScriptedCrew(lambda token, n: "dies")
    options = DispatchOptions(retries=0, fail=lambda token, reason: failed_row(token, reason, seed=7))
    (row,) = dispatch(names(1), crew, 1, options)
    assert (row.status, row.seed) == ("failed", 7)


def test_a_worker_is_told_what_comes_next():
    crew = ScriptedCrew()
    list(dispatch(names(4), crew, 1))
    assert crew.hints == [("s0", "s1"), ("s1", "s2"), ("s2", "s3"), ("s3", None)]


def test_several_workers_are_told_of_different_scenarios():
    crew = ScriptedCrew()
    list(dispatch(names(8), crew, 3))
    told = [following for _, following in crew.hints if following]
    assert len(set(told)) > 4
    assert all(token != following for token, following in crew.hints)
