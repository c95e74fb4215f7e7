"""The launchers, with commands that only say what they were called with: arguments, cards, planners, exit codes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
LAUNCHERS = (
    "run_testing.sh",
    "run_ray_distributed_testing.sh",
    "run_ray_distributed_rollout.sh",
    "multigpu_closed_loop_test.sh",
)
COMMAND = """#!/usr/bin/env bash
echo "$(basename "$0") gpu=${{CUDA_VISIBLE_DEVICES-unset}} $*" >> {calls}
{then}
"""


class Checkout:
    """A copy of the scripts beside commands that write down how they were called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = root / "calls.txt"
        shutil.copytree(SCRIPTS, root / "scripts")
        (root / "scripts" / "bootstrap.sh").write_text("")
        self.put(".venv/bin/algengine", "exec sleep 600")
        # A run lasts until all planners have said what they were called with.
        started = f'[ "$(grep -c ^algengine {self.calls})" -ge "${{PLANNERS:-1}}" ]'
        run = f'if [ "$1" = run ]; then until {started}; do sleep 0.02; done; fi'
        self.put(".venv/bin/simengine", f"{run}; exit ${{SIMULATOR_EXIT:-0}}")
        self.cards(0)

    def put(self, name: str, then: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMMAND.format(calls=self.calls, then=then))
        path.chmod(0o755)

    def cards(self, count: int) -> None:
        self.put("bin/nvidia-smi", "".join(f"echo {i}; " for i in range(count)) or "exit 9")

    def run(self, script: str, *words: str, **environment: str) -> subprocess.CompletedProcess:
        clean = {k: v for k, v in os.environ.items() if k not in ("CUDA_VISIBLE_DEVICES", "RAY_ADDRESS")}
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", self.root / "scripts" / script, *words],
            capture_output=True, text=True, timeout=240, check=False, env=clean | {"PATH": path} | environment,
        )  # fmt: skip

    def called(self, command: str) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith(command)]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


MODEL = ("planner.py", "weights.pth", "m", "navtest_failures")


def test_one_worker_and_one_planner(checkout):
    done = checkout.run("run_testing.sh", *MODEL, "R", "num_scenarios=3")
    assert done.returncode == 0, done.stderr
    (planner,) = checkout.called("algengine")
    assert "serve planner.py weights.pth --address ipc://" in planner
    (simulator,) = checkout.called("simengine")
    for word in ("model_name=m", "split=navtest_failures", "traffic=R", "num_scenarios=3"):
        assert f" {word}" in simulator
    assert "worker=ray" not in simulator
    assert planner.split("--address ")[1] in simulator


def test_without_cards_all_cores_and_one_planner(checkout):
    done = checkout.run("run_ray_distributed_testing.sh", *MODEL, "NR")
    assert done.returncode == 0, done.stderr
    assert len(checkout.called("algengine")) == 1
    (simulator,) = checkout.called("simengine")
    assert " worker=ray" in simulator
    assert "gpus_per_worker" not in simulator


def test_a_planner_on_each_card_and_shares_for_the_workers(checkout):
    checkout.cards(3)
    done = checkout.run("multigpu_closed_loop_test.sh", *MODEL, "NR", "num_workers=5", PLANNERS="3")
    assert done.returncode == 0, done.stderr
    planners = checkout.called("algengine")
    assert sorted(line.split()[1] for line in planners) == ["gpu=0", "gpu=1", "gpu=2"]
    assert all(line.endswith(f"planner-{line.split()[1][4:]}.sock") for line in planners)
    (simulator,) = checkout.called("simengine")
    assert simulator.index("num_workers=6") < simulator.index(
        "num_workers=5"
    )  # the caller's word is the last
    assert " gpus_per_worker=0.5 " in simulator
    assert "planner-__GPU__.sock" in simulator


def test_only_the_cards_that_may_be_used(checkout):
    checkout.cards(8)
    done = checkout.run(
        "multigpu_closed_loop_test.sh", CUDA_VISIBLE_DEVICES="2,5", WORKERS_PER_GPU="4", PLANNERS="2"
    )
    assert done.returncode == 0, done.stderr
    assert sorted(line.split()[1] for line in checkout.called("algengine")) == ["gpu=2", "gpu=5"]
    (simulator,) = checkout.called("simengine")
    assert " gpus_per_worker=0.25 num_workers=8 " in simulator
    assert " split=demo " in simulator  # without arguments the shipped planner and the split demo


def test_no_card_may_be_used(checkout):
    checkout.cards(8)
    assert checkout.run("multigpu_closed_loop_test.sh", CUDA_VISIBLE_DEVICES="").returncode == 0
    assert len(checkout.called("algengine")) == 1


def test_a_rollout_keeps_everything_and_is_exported(checkout):
    done = checkout.run(
        "run_ray_distributed_rollout.sh", *MODEL, "rewards.vocabulary=v.npy", "num_scenarios=2"
    )
    assert done.returncode == 0, done.stderr
    run, export = checkout.called("simengine")
    for word in ("traffic=NR", "rewards.vocabulary=v.npy", "record.openscene=true", "rewards.format=both"):
        assert f" {word}" in run
    assert " export experiments/closed_loop_exps/m/navtest_failures_NR --appendix " in export


def test_what_a_failed_run_left_is_not_exported(checkout):
    done = checkout.run(
        "run_ray_distributed_rollout.sh", *MODEL, "rewards.vocabulary=v.npy", SIMULATOR_EXIT="1"
    )
    assert done.returncode == 1
    assert len(checkout.called("simengine")) == 1


def test_a_planner_that_cannot_start_ends_the_run(checkout):
    checkout.cards(2)
    checkout.put(".venv/bin/algengine", 'if [ "$CUDA_VISIBLE_DEVICES" = 1 ]; then exit 3; fi; exec sleep 600')
    checkout.put(".venv/bin/simengine", "exec sleep 600")
    assert checkout.run("multigpu_closed_loop_test.sh").returncode == 1


@pytest.mark.parametrize(
    ("script", "words", "environment", "expected"),
    [
        ("run_testing.sh", ("a", "b"), {}, "got 2 positional arguments"),
        ("run_testing.sh", (*MODEL, "X"), {}, "expected NR or R"),
        ("run_ray_distributed_testing.sh", ("a", "b"), {}, "got 2 positional arguments"),
        (
            "run_ray_distributed_testing.sh",
            (*MODEL, "R"),
            {"WORKERS_PER_GPU": "0.5"},
            "WORKERS_PER_GPU is '0.5'",
        ),
        ("run_ray_distributed_testing.sh", (*MODEL, "R"), {"RAY_ADDRESS": "auto"}, "docs/cluster.md"),
        ("run_ray_distributed_rollout.sh", MODEL[:3], {}, "got 3 positional arguments"),
        ("run_ray_distributed_rollout.sh", MODEL, {}, "rewards.vocabulary=FILE"),
    ],
)
def test_wrong_arguments_start_nothing(checkout, script, words, environment, expected):
    done = checkout.run(script, *words, **environment)
    assert done.returncode == 1
    assert expected in done.stderr
    assert not checkout.calls.exists() or not [
        line for line in checkout.calls.read_text().splitlines() if not line.startswith("nvidia-smi")
    ]


@pytest.mark.parametrize(
    ("script", "words"),
    [("e2e_dist_train.sh", ("vadv2_demo", "0")), ("e2e_dist_eval.sh", ("vadv2_demo", "weights.pth", "0"))],
)
def test_processes_of_one_machine_meet_without_its_name(checkout, script, words):
    checkout.put(".venv/bin/python", "")
    done = checkout.run(script, *words, NPROC="2")
    assert done.returncode == 0, done.stderr
    (call,) = checkout.called("python")
    assert " --standalone --local-addr 127.0.0.1 " in call


@pytest.mark.parametrize("script", LAUNCHERS)
def test_the_launchers_can_be_called(script):
    assert os.access(SCRIPTS / script, os.X_OK)
