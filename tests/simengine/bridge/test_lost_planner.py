"""Planners that are slow, silent, killed and restarted: every wait ends, and what can go on does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge_factories import (
    PATIENCE,
    MemoryPlanner,
    make_observation,
    plan_for,
    plans_equal,
    serving,
    shared_memory,
    wait_until,
)
from simengine.bridge.client import PlannerClient
from simengine.errors import PlannerTimeoutError

SCRIPT = Path(__file__).with_name("planner_process.py")
Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(address: str) -> Iterator[Start]:
    started: list[subprocess.Popen] = []

    def run(delay: float = 0.0) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), address, str(delay)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "listening\n", process.stderr.read()
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def checksum(observation: object) -> float:
    return float(sum(int(image.sum()) for image in observation.images.values()))


def test_nobody_listens(address: str) -> None:
    began = time.monotonic()
    with PlannerClient(address, connect_timeout=0.3) as client, pytest.raises(PlannerTimeoutError) as caught:
        client.plan(make_observation())
    assert time.monotonic() - began < 20.0  # and not the 30 s that are usual
    assert address in str(caught.value) and "0.3 s" in str(caught.value) and "check" in str(caught.value)


def test_the_planner_may_come_later(address: str) -> None:
    with ThreadPoolExecutor(1) as pool, PlannerClient(address, connect_timeout=PATIENCE) as client:
        ready = pool.submit(client.wait_until_ready)
        time.sleep(0.2)
        with serving(MemoryPlanner(), address):
            ready.result(PATIENCE)
            client.plan(make_observation())


def test_slow_inference_is_not_a_death(address: str) -> None:
    with (
        serving(MemoryPlanner(delay=2.5), address),
        PlannerClient(address, retries=0, heartbeat_timeout=1.0) as client,
    ):
        client.plan(make_observation())


def test_an_answer_that_never_comes(address: str) -> None:
    planner = MemoryPlanner()
    planner.ready.clear()
    with (
        ThreadPoolExecutor(1) as pool,
        serving(planner, address) as server,
        PlannerClient(address, plan_timeout=0.5, retries=1) as client,
    ):
        with pytest.raises(PlannerTimeoutError, match="2 attempts"):
            client.plan(make_observation())
        wait_until(lambda: bool(planner.batches))
        client._plan_timeout = PATIENCE
        observation = make_observation("other", 5, cameras=2)
        answer = pool.submit(client.plan, observation)
        wait_until(lambda: [job.observation.token for job in list(server._inbox._jobs)] == ["other"])
        planner.ready.set()  # the late answer goes to a connection that is gone
        assert plans_equal(answer.result(PATIENCE), plan_for(observation, 1))
    assert planner.batches == [["token"], ["other"]]  # requests of abandoned connections are not planned


def test_killed_in_the_middle_is_noticed_at_once(start: Start, address: str) -> None:
    process = start(30)
    with PlannerClient(address, connect_timeout=0.5, plan_timeout=60) as client:
        threading.Thread(target=kill_when_planning, args=(process,)).start()
        began = time.monotonic()
        with pytest.raises(PlannerTimeoutError, match="no planner greeted"):
            client.plan(make_observation())
        assert time.monotonic() - began < 30.0  # half the time that an answer may take


def kill_when_planning(process: subprocess.Popen) -> None:
    process.stdout.readline()
    process.kill()
    process.wait()


def test_a_frozen_process_is_noticed_too(start: Start, address: str) -> None:
    process = start(30)
    with PlannerClient(
        address,
        connect_timeout=PATIENCE,
        plan_timeout=60,
        heartbeat_timeout=1.0,
        retries=0,
        redial_timeout=0.3,
    ) as client:
        client.wait_until_ready()
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        # The second, if this process was itself held up for a second before it asked.
        with pytest.raises(PlannerTimeoutError, match="the connection broke|no planner greeted"):
            client.plan(make_observation())
        assert time.monotonic() - began < 30.0  # half the time that an answer may take


def test_killed_and_restarted_at_the_same_address(start: Start, address: str) -> None:
    before = shared_memory()
    first = start(0)
    observation = make_observation(cameras=3, size=(100, 50))
    with PlannerClient(address, connect_timeout=PATIENCE, plan_timeout=60) as client:
        assert client.plan(observation).poses[0, 0] == checksum(observation)
        assert client.plan(observation).vocabulary_index == 2
        kill_first = ThreadPoolExecutor(1).submit(lambda: (first.kill(), first.wait(), start(0)))
        kill_first.result()
        plan = client.plan(observation)  # the loss is noticed before or while asking
        assert plan.poses[0, 0] == checksum(observation)
        assert plan.vocabulary_index == 1  # its memory is gone
        assert client.uses_shared_memory
    assert shared_memory() == before


def test_a_rollout_does_not_go_on_with_a_planner_that_has_not_seen_it(start: Start, address: str) -> None:
    first = start(0)
    with PlannerClient(address, connect_timeout=PATIENCE, plan_timeout=60) as client:
        client.plan(make_observation("a", 0))
        client.plan(make_observation("a", 1))
        first.kill()
        first.wait()
        start(0)
        with pytest.raises(PlannerTimeoutError, match="lost before step 2 of a and another instance"):
            client.plan(make_observation("a", 2))
        client.plan(make_observation("b", 0))
        client.plan(make_observation("b", 1))


def test_redialling_has_a_deadline_of_its_own(start: Start, address: str) -> None:
    process = start(0)
    with PlannerClient(address, connect_timeout=60, redial_timeout=0.3) as client:
        client.plan(make_observation())
        process.kill()
        process.wait()
        began = time.monotonic()
        with pytest.raises(PlannerTimeoutError, match="no planner greeted"):
            client.plan(make_observation())
        assert time.monotonic() - began < 30.0  # half the time that the first greeting may take


def test_killed_while_planning_and_restarted(start: Start, address: str) -> None:
    first = start(30)
    with (
        ThreadPoolExecutor(1) as pool,
        PlannerClient(address, connect_timeout=PATIENCE, plan_timeout=60) as client,
    ):
        answer = pool.submit(client.plan, make_observation())
        kill_when_planning(first)
        start(0)
        assert answer.result(PATIENCE).vocabulary_index == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_server_cleanly(start: Start, address: str, number: int) -> None:
    process = start(0.3)
    with ThreadPoolExecutor(1) as pool, PlannerClient(address, retries=0) as client:
        answer = pool.submit(client.plan, make_observation())
        process.stdout.readline()
        process.send_signal(number)
        assert answer.result(PATIENCE).vocabulary_index == 1  # the batch at work is answered
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, errors) == (0, "ended\n", "")
    assert not os.path.exists(address.removeprefix("ipc://"))


@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT", "exit"])
def test_a_simulator_that_ends_in_the_middle(start: Start, address: str, how: str) -> None:
    before = shared_memory()
    # Who is to be hit while it waits for an answer must not get it first.
    process = start(0.2 if how == "exit" else 1.0)
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from bridge_factories import make_observation\n"
        "from simengine.bridge.client import PlannerClient\n"
        "client = PlannerClient(sys.argv[1])\n"
        "client.plan(make_observation(size=(500, 500)))\n"
    )
    tests = str(Path(__file__).parents[2])
    simulator = subprocess.Popen(
        [sys.executable, "-c", code, address, tests], stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "planning\n"
    if how != "exit":  # else it ends by itself, without closing its client
        simulator.send_signal(getattr(signal, how))
    errors = simulator.communicate(timeout=PATIENCE)[1]
    assert errors == "" or (how == "SIGINT" and errors.endswith("KeyboardInterrupt\n"))
    assert shared_memory() == before
    with PlannerClient(address) as client:
        wait_until(lambda: client.plan(make_observation("next")).vocabulary_index >= 2)
