"""Loading ahead changes when scenarios are loaded, and nothing else."""

import threading
import time
from dataclasses import dataclass, replace

import pytest

from factories import make_scenario
from runner_factories import make_straight_worker
from simengine.errors import ScenarioFormatError
from simengine.runner.prefetch import Prefetch
from simengine.runner.worker import Worker


@dataclass(frozen=True)
class Counted:
    """Notes which thread loads it; a broken one cannot be loaded."""

    token: str
    loads: list
    broken: bool = False

    def load(self):
        self.loads.append((self.token, threading.current_thread().name))
        if self.broken:
            raise ScenarioFormatError(f"{self.token} is broken")
        return replace(make_scenario(), token=self.token)


def wait_until(done, limit=120.0):
    end = time.monotonic() + limit
    while not done():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_was_loaded_ahead_is_not_loaded_again():
    loads, prepared = [], []
    ahead = Prefetch(prepared.append)
    ahead.begin(Counted("b", loads))
    wait_until(lambda: (ahead.poll(), prepared)[1])
    ahead.poll()
    assert [scenario.token for scenario in prepared] == ["b"]
    assert ahead.load(Counted("b", loads)) is prepared[0]
    assert ahead.load(Counted("c", loads)).token == "c"
    assert [token for token, _ in loads] == ["b", "c"]
    assert loads[0][1] != threading.current_thread().name
    ahead.close()


def test_a_wrong_guess_is_let_go():
    loads = []
    ahead = Prefetch(lambda scenario: None)
    ahead.begin(Counted("x", loads))
    assert ahead.load(Counted("b", loads)).token == "b"
    ahead.close()


def test_a_broken_one_fails_when_it_is_driven_and_not_before():
    loads, prepared = [], []
    ahead = Prefetch(prepared.append)
    ahead.begin(Counted("bad", loads, broken=True))
    wait_until(lambda: loads)
    time.sleep(0.05)
    ahead.poll()
    assert not prepared
    with pytest.raises(ScenarioFormatError, match="bad is broken"):
        ahead.load(Counted("bad", loads, broken=True))
    ahead.close()


def test_rows_do_not_depend_on_it(tmp_path):
    def rows(folder, prefetch):
        worker: Worker = make_straight_worker(tmp_path / folder)
        worker._settings.prefetch = prefetch
        loads: list = []
        handles = [Counted(token, loads, token == "b") for token in "abc"]
        found = [
            worker.run(handle, following)
            for handle, following in zip(handles, [*handles[1:], None], strict=True)
        ]
        worker.close()
        return found, loads

    plain, here = rows("plain", False)
    early, there = rows("early", True)
    assert list(map(repr, early)) == list(map(repr, plain))  # NaN equals nothing
    assert [row.status for row in early] == ["ok", "failed", "ok"]
    main = threading.current_thread().name
    assert all(thread == main for _, thread in here)
    assert ("b", main) not in there
    assert sorted(token for token, _ in there) == ["a", "b", "c"]
