"""Ray actors on two local nodes that are killed, with their node or by their scenario; the rows stay the same."""

import functools
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from runner_factories import (
    PATIENCE,
    DeadlyHandle,
    StraightHandle,
    begun_by,
    make_doomed_worker,
    make_straight_worker,
)
from simengine.errors import ConfigError, SimEngineError
from simengine.metrics.table import scores_hash
from simengine.runner.dispatch import DispatchOptions
from simengine.runner.local import run_sequential

ray = pytest.importorskip("ray")
from simengine.runner.ray_pool import Share, num_places, places_of, run_ray  # noqa: E402

TESTS = Path(__file__).parents[2]
in_cluster = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of two places each; the second has two (imagined) graphics cards."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # Workers import the factories to make their worker.
        patch.setenv("PYTHONPATH", str(TESTS))
        patch.delenv("RAY_ADDRESS", raising=False)
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 0})
        made.add_node(num_cpus=2, num_gpus=2)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture
def build(tmp_path):
    return functools.partial(make_straight_worker, tmp_path / "ray")


def alone(tmp_path, tokens):
    return list(
        run_sequential([StraightHandle(t) for t in tokens], lambda: make_straight_worker(tmp_path / "one"))
    )


@pytest.mark.parametrize(
    ("cpus", "gpus", "share", "places"),
    [
        (8, 0, Share(), 8),
        (8, 2, Share(gpus=1), 2),
        (8, 2, Share(gpus=0.5), 4),
        (8, 1, Share(gpus=0.1), 8),
        (16, 1, Share(gpus=0.1), 10),
        (16, 2, Share(gpus=0.4), 4),  # 0.4 + 0.4 of a card, twice, and not five times 0.4 of two
        (16, 3, Share(gpus=0.3333), 9),
        (16, 5, Share(gpus=2), 2),
        (16, 2, Share(cpus=4), 4),
        (16, 8, Share(gpus=1, cpus=16), 1),
        (8, 0, Share(gpus=1), 0),
        (2, 0, Share(cpus=0.5), 4),
    ],
)
def test_places_of_a_node(cpus, gpus, share, places):
    assert places_of({"CPU": cpus, "GPU": gpus}, share) == places


class TestCluster:
    pytestmark = in_cluster

    def test_as_many_workers_as_there_is_room_for_on_both_nodes(self, cluster, build, tmp_path):
        tokens = [f"s{i}" for i in range(9)]
        handles = [StraightHandle(t, str(tmp_path / "begun"), together=4) for t in tokens]
        rows = list(run_ray(handles, build))
        assert scores_hash(rows) == scores_hash(alone(tmp_path, tokens))
        assert len(begun_by(tmp_path / "begun")) == 4

    def test_fractions_of_cards_decide_how_many(self, cluster):
        ray.init(log_to_driver=False)
        try:
            assert num_places(Share()) == 4
            assert num_places(Share(gpus=1.0)) == 2
            assert num_places(Share(gpus=0.5, cpus=0.5)) == 4
            assert num_places(Share(gpus=4.0)) == 0
        finally:
            ray.shutdown()

    def test_no_room_is_said_at_once(self, cluster, build):
        with pytest.raises(ConfigError, match="reserves 1 CPU and 4 GPU but the nodes have"):
            list(run_ray([StraightHandle("a")], build, share=Share(gpus=4.0)))

    def test_more_workers_than_room_or_scenarios(self, cluster, build, tmp_path):
        tokens = [f"s{i}" for i in range(6)]
        rows = list(run_ray([StraightHandle(t) for t in tokens], build, num_workers=32))
        assert scores_hash(rows) == scores_hash(alone(tmp_path, tokens))

    def test_actors_killed_in_the_middle(self, cluster, build, tmp_path):
        tokens = [f"s{i}" for i in range(6)]
        begun = tmp_path / "begun"
        handles = [StraightHandle(t, str(begun), pause=1.0) for t in tokens]
        killed = []

        def kill_two():
            while len(killed) < 2:
                for worker in begun_by(begun) - set(killed):
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)
                    break
                time.sleep(0.1)

        thread = threading.Thread(target=kill_two, daemon=True)
        thread.start()
        rows = list(run_ray(handles, build, num_workers=2))
        thread.join(PATIENCE)
        assert len(killed) == 2
        assert scores_hash(rows) == scores_hash(alone(tmp_path, tokens))

    def test_a_scenario_that_always_kills_its_worker(self, cluster, build):
        handles = [DeadlyHandle("bad"), *(StraightHandle(f"s{i}") for i in range(4))]
        rows = {
            row.token: row
            for row in run_ray(handles, build, num_workers=2, options=DispatchOptions(retries=2))
        }
        assert rows["bad"].error.startswith(
            "WorkerLostError: its worker died 3 times, the last time: ActorDiedError"
        )
        assert [row.status for token, row in rows.items() if token != "bad"] == ["ok"] * 4

    def test_workers_that_die_at_birth_end_the_run(self, cluster):
        with pytest.raises(SimEngineError, match="died before they were ready"):
            list(run_ray([StraightHandle("a")], make_doomed_worker, num_workers=1))

    def test_rows_stream_and_a_run_that_is_left_ends_its_actors(self, cluster, build, tmp_path):
        handles = [
            StraightHandle("s0"),
            *(StraightHandle(f"t{i}", str(tmp_path / "t"), pause=600.0) for i in range(2)),
        ]
        rows = run_ray(handles, build, num_workers=2)
        assert next(rows).token == "s0"  # while the others are still driven
        rows.close()
        assert all(map(ended, begun_by(tmp_path / "t")))
        assert not ray.is_initialized()

    def test_a_node_that_dies_takes_nothing_along(self, cluster, build, tmp_path):
        tokens = [f"s{i}" for i in range(8)]
        third = cluster.add_node(num_cpus=2)
        handles = [StraightHandle(t, str(tmp_path / "begun"), pause=1.0) for t in tokens]
        rows = run_ray(handles, build)
        done = [next(rows)]
        cluster.remove_node(third, allow_graceful=False)
        done += rows
        assert scores_hash(done) == scores_hash(alone(tmp_path, tokens))


def test_an_address_without_a_cluster_is_one_sentence(monkeypatch, build):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ConfigError, match="RAY_ADDRESS is '127.0.0.1:1' and cannot be reached"):
        list(run_ray([StraightHandle("a")], build))


def ended(process_id: int) -> bool:
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{process_id}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
