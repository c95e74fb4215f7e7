"""Cores are shared by stages that can run beside each other, and all given to one that everything waits for."""

from pathlib import Path

import pytest

from algengine.table.budget import Budget
from algengine.table.options import TableOptions
from algengine.table.plan import make_plan
from algengine.table.stage import Stage

FIRST = Stage("first", ("a",), spread="num_workers")
SECOND = Stage("second", ("b",), spread="num_workers")
AFTER = Stage("after", ("c",), (FIRST,), spread="num_workers")
LAST = Stage("last", ("d",), (AFTER, SECOND))
ALL = [FIRST, SECOND, AFTER, LAST]


def test_ancestors_are_all_that_come_before():
    assert LAST.ancestors == {FIRST.key, SECOND.key, AFTER.key}
    assert FIRST.ancestors == frozenset()


def test_what_everything_waits_for_gets_all():
    assert Budget(4, 16).shares([AFTER], [AFTER, LAST], []) == [(AFTER, 16)]
    assert Budget(4, 16).shares([AFTER], [AFTER, LAST], [6]) == [(AFTER, 10)]


def test_those_that_may_begin_meanwhile_keep_their_part():
    # Beside `first` only `second` can run; beside `second` also `after`, once `first` is done.
    assert Budget(4, 16).shares([FIRST, SECOND], ALL, []) == [(FIRST, 8), (SECOND, 4)]
    assert Budget(2, 16).shares([SECOND], [SECOND, AFTER, LAST], [8]) == [(SECOND, 8)]


def test_no_more_than_the_jobs_and_the_cores():
    assert Budget(1, 16).shares([FIRST, SECOND], ALL, []) == [(FIRST, 16)]
    assert Budget(1, 16).shares([SECOND], [SECOND, AFTER, LAST], [16]) == []
    assert Budget(4, 2).shares([FIRST, SECOND, LAST], ALL, [1]) == [(FIRST, 1)]


def test_what_cannot_be_spread_has_always_the_same_cores():
    assert Budget(4, 16).shares([LAST], [LAST], []) == [(LAST, 4)]
    assert [Budget(4, 16).threads(stage) for stage in (FIRST, LAST)] == [1, 4]
    assert Budget(4, 2).threads(LAST) == 1


@pytest.mark.parametrize(("jobs", "cores"), [(1, 1), (1, 2), (2, 2), (5, 16), (8, 3)])
def test_the_whole_plan_runs_within_the_budget(tmp_path, jobs, cores):
    checkpoint = tmp_path / "weights.pth"
    checkpoint.write_bytes(b"weights")
    waiting, budget = list(make_plan(TableOptions(Path(checkpoint))).stages), Budget(jobs, cores)
    running: list[tuple[Stage, int]] = []
    done: set[str] = set()
    largest = 0
    while waiting or running:
        ready = [stage for stage in waiting if all(need.key in done for need in stage.needs)]
        begun = budget.shares(ready, waiting, [share for _, share in running])
        running += begun
        waiting = [stage for stage in waiting if stage not in [one for one, _ in begun]]
        assert running
        assert len(running) <= jobs
        spread = sum(share for stage, share in running if stage.spread)
        assert spread <= cores
        largest = max([largest, *(share for stage, share in running if stage.name == "rollout_variants")])
        done.add(running.pop(0)[0].key)
    assert 2 * largest >= cores  # where the chain is narrow
