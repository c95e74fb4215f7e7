"""Client and server over sockets: plans, batches, errors, versions, malformed frames."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import zmq

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
from simengine.bridge import client as client_module
from simengine.bridge.client import PlannerClient, ping
from simengine.bridge.codec import pack_request
from simengine.bridge.in_process import InProcessClient
from simengine.bridge.messages import ErrorReply, Finish, Hello, Ping, Pong, Welcome, pack, unpack
from simengine.bridge.server import PlannerServer
from simengine.errors import (
    BridgeError,
    ConfigError,
    PlannerTimeoutError,
    RemotePlannerError,
    VersionMismatchError,
)

LOOPBACK = "tcp://127.0.0.1:*"


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("scheme", ["ipc", "tcp"])
def test_socket_and_in_process_give_identical_plans(address: str, scheme: str, shared: bool) -> None:
    planner = MemoryPlanner()
    with (
        serving(planner, address if scheme == "ipc" else LOOPBACK, metadata={"checkpoint": "x"}) as server,
        PlannerClient(server.address, shared_images=shared) as remote,
        InProcessClient(MemoryPlanner()) as local,
    ):
        for token in ("a", "b"):
            for step in range(4):
                observation = make_observation(token, step, cameras=step, size=(50 * step + 8, 30))
                assert plans_equal(remote.plan(observation), local.plan(observation))
            remote.finish(token)
        assert remote.uses_shared_memory == shared
        assert remote.planner_name == "memory" and remote.planner_metadata == {"checkpoint": "x"}
        wait_until(lambda: planner.forgotten == ["a", "b"])


@pytest.mark.parametrize("shared", [True, False])
def test_large_images(address: str, shared: bool) -> None:
    before = shared_memory()
    with serving(MemoryPlanner(), address), PlannerClient(address, shared_images=shared) as client:
        for step in range(2):
            observation = make_observation(step=step, cameras=3, size=(1920, 1080))
            assert plans_equal(client.plan(observation), plan_for(observation, step + 1))
        assert shared_memory() == before


def test_memory_that_cannot_be_mapped_falls_back(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> None:
        raise PermissionError("another container")

    monkeypatch.setattr("simengine.bridge.mailroom.map_shared_images", refuse)
    observation = make_observation()
    with serving(MemoryPlanner(), address), PlannerClient(address) as client:
        assert plans_equal(client.plan(observation), plan_for(observation, 1))
        assert not client.uses_shared_memory


def test_memory_that_cannot_be_made_falls_back(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(os, "memfd_create", refuse)
    observation = make_observation()
    with serving(MemoryPlanner(), address), PlannerClient(address) as client:
        assert plans_equal(client.plan(observation), plan_for(observation, 1))
        assert not client.uses_shared_memory


def test_requests_of_many_simulators_are_batched_and_answered_to_the_right_one(address: str) -> None:
    planner = MemoryPlanner()
    planner.ready.clear()

    def drive(k: int) -> None:
        with PlannerClient(address) as client:
            for step in range(6):
                observation = make_observation(f"token{k}", step, cameras=2, size=(20 + k, 10))
                assert plans_equal(client.plan(observation), plan_for(observation, step + 1))

    with serving(planner, address, max_batch=4, batch_window=0.05) as server, ThreadPoolExecutor(6) as pool:
        drives = [pool.submit(drive, k) for k in range(6)]
        # All have asked: some are in the first batch, the others wait for the second.
        wait_until(lambda: planner.batches and len(planner.batches[0]) + len(server._inbox) == 6)
        planner.ready.set()
        for done in drives:
            done.result(PATIENCE)
        wait_until(lambda: len(planner.forgotten) == 6)  # their goodbyes end the rollouts
    sizes = [len(batch) for batch in planner.batches]
    assert sum(sizes) == 36 and max(sizes) <= 4
    assert max(sizes[:2]) >= 3, f"those who waited were not batched: {sizes}"


def test_a_planner_error_is_an_answer_and_the_service_goes_on(address: str) -> None:
    with serving(MemoryPlanner(), address), PlannerClient(address) as client:
        with pytest.raises(RemotePlannerError, match="planner memory failed on bad step 0: ValueError"):
            client.plan(make_observation("bad"))
        assert plans_equal(client.plan(make_observation()), plan_for(make_observation(), 1))


def test_a_plan_that_cannot_be_sent_is_an_answer(address: str) -> None:
    class Odd(MemoryPlanner):
        def plan_batch(self, observations: list) -> list:
            plans = super().plan_batch(observations)
            object.__setattr__(plans[0], "scores", "high")
            return plans

    with (
        serving(Odd(), address),
        PlannerClient(address) as client,
        pytest.raises(RemotePlannerError, match=r"plan\.scores is a str"),
    ):
        client.plan(make_observation())


def test_bad_requests_are_refused(address: str) -> None:
    with serving(MemoryPlanner(), address), PlannerClient(address) as client:
        with pytest.raises(BridgeError, match="dtype object"):
            client.plan(make_observation(images={"a": np.array([[None]])}))
        assert plans_equal(client.plan(make_observation()), plan_for(make_observation(), 1))


def test_two_simulators_with_one_token(address: str) -> None:
    with serving(MemoryPlanner(), address), PlannerClient(address) as first, PlannerClient(address) as second:
        first.plan(make_observation(step=0))
        with pytest.raises(BridgeError, match="another simulator"):
            second.plan(make_observation(step=1))
        first.finish("token")
        second.plan(make_observation(step=1))


def test_silent_simulators_are_forgotten_and_welcomed_back(address: str) -> None:
    planner = MemoryPlanner()
    with serving(planner, address, session_timeout=0.05), PlannerClient(address) as client:
        client.plan(make_observation(step=0))
        wait_until(lambda: planner.forgotten == ["token"])
        observation = make_observation(step=1)
        assert plans_equal(client.plan(observation), plan_for(observation, 1))


def test_other_versions_are_refused_clearly(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(MemoryPlanner(), address), PlannerClient(address) as client:
        monkeypatch.setattr(client_module, "PROTOCOL", 99)
        with pytest.raises(VersionMismatchError, match="protocol 1, the simulator speaks 99"):
            client.plan(make_observation())


def test_ping(address: str) -> None:
    planner = MemoryPlanner()
    planner.ready.clear()
    with serving(planner, address), PlannerClient(address) as client, ThreadPoolExecutor(1) as pool:
        assert ping(address, PATIENCE) == Pong("memory", 0, 0, 0)
        answer = pool.submit(client.plan, make_observation())
        wait_until(lambda: bool(planner.batches))
        assert ping(address, PATIENCE) == Pong("memory", 1, 0, 0)  # during inference
        planner.ready.set()
        answer.result()
        wait_until(lambda: ping(address, PATIENCE).answered == 1)
    with pytest.raises(PlannerTimeoutError, match="sign of life"):
        ping(address, 0.1)


def test_addresses_are_taken_and_freed(address: str) -> None:
    with PlannerServer(MemoryPlanner(), address), pytest.raises(ConfigError, match="another planner"):
        PlannerServer(MemoryPlanner(), address)
    with PlannerServer(MemoryPlanner(), address):
        pass
    with (
        PlannerServer(MemoryPlanner(), LOOPBACK) as server,
        pytest.raises(ConfigError, match="cannot listen"),
    ):
        PlannerServer(MemoryPlanner(), server.address)
    with pytest.raises(ConfigError, match="max_batch"):
        PlannerServer(MemoryPlanner(), LOOPBACK, max_batch=0)


def test_random_and_damaged_frames_do_not_harm_a_server(address: str) -> None:
    rng = np.random.default_rng(0)
    request = [bytes(frame) for frame in pack_request(1, make_observation())]
    with serving(MemoryPlanner(), address), zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 1000)
        dealer.connect(address)
        dealer.send_multipart(pack(Hello(1, "fuzz")))
        assert isinstance(unpack(dealer.recv_multipart())[0], Welcome)
        for _ in range(300):
            frames = [bytearray(frame) for frame in request]
            for _ in range(rng.integers(1, 4)):
                frame = frames[rng.integers(len(frames))]
                frame[rng.integers(len(frame))] = rng.integers(256)
            dealer.send_multipart(frames)
            dealer.send_multipart([rng.bytes(rng.integers(0, 50)) for _ in range(rng.integers(1, 5))])
        dealer.send_multipart(request[:-1])
        dealer.send_multipart([*request, b"more"])
        dealer.send_multipart([request[0], request[1][:-8], *request[2:]])
        dealer.send_multipart(pack(Welcome(1, "me")))
        dealer.send_multipart(pack(Finish("unknown")))
        with PlannerClient(address) as client:
            observation = make_observation("mine")
            assert plans_equal(client.plan(observation), plan_for(observation, 1))


def fake_planner(address: str, answers: list[list[bytes]], stop: threading.Event) -> threading.Thread:
    """Start a peer that greets and then sends `answers` to whatever it is asked."""

    def run() -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
            router.setsockopt(zmq.LINGER, 0)
            router.bind(address)
            ready.set()
            while not stop.is_set():
                if router.poll(20):
                    identity, header, *_ = router.recv_multipart()
                    greeting = isinstance(unpack([header])[0], Hello)
                    for answer in [pack(Welcome(1, "fake"))] if greeting else answers:
                        router.send_multipart([identity, *answer])

    ready = threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(PATIENCE)
    return thread


def test_random_answers_do_not_harm_a_client(address: str) -> None:
    rng = np.random.default_rng(1)
    answers: list[list[bytes]] = []
    stop = threading.Event()
    thread = fake_planner(address, answers, stop)
    try:
        with PlannerClient(address, plan_timeout=0.2, retries=0, shared_images=False) as client:
            for k in range(30):
                answers[:] = [[rng.bytes(int(rng.integers(0, 40))) for _ in range(rng.integers(1, 4))]]
                if k == 0:
                    answers[:] = [pack(ErrorReply("planner", "late answer", 10_000)), pack(Ping())]
                with pytest.raises(PlannerTimeoutError if k == 0 else BridgeError):
                    client.plan(make_observation(cameras=0))
    finally:
        stop.set()
        thread.join()
