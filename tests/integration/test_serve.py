"""`algengine serve` as simulators meet it: several at once, one that vanishes, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import serve_factories
from algengine.serving.load import load_shipped
from serve_factories import observe
from simengine.bridge.client import PlannerClient

pytestmark = [pytest.mark.mm, pytest.mark.slow]
STEPS = 3


@pytest.fixture
def served(tmp_path):
    command = [
        sys.executable,
        "-m",
        "algengine.cli.main",
        "serve",
        "--model",
        "vadv2_demo",
        "--device",
        "cpu",
    ]
    with (tmp_path / "errors").open("w") as errors:
        process = subprocess.Popen(
            [*command, "--threads", "1", "--address", "tcp://127.0.0.1:*"],
            stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def drive(address: str, scene: str) -> list[np.ndarray]:
    """Return the plans of one scene, step by step."""
    with PlannerClient(address) as client:
        plans = [client.plan(observe(scene, step)).poses for step in range(STEPS)]
        client.finish(scene)
    return plans


def test_simulators_are_served_together_whatever_becomes_of_one(served):
    address = re.search(r"listens at (tcp://127\.0\.0\.1:[1-9]\d*)$", served.stdout.readline().strip())[1]
    vanishes = [sys.executable, serve_factories.__file__, address, "gone"]
    with ThreadPoolExecutor(3) as pool:
        gone = pool.submit(subprocess.run, vanishes, check=False)
        left, right = pool.map(drive, [address] * 2, ["left", "right"])
        assert gone.result().returncode == 9
    plans = {"left": left, "right": right, "gone": drive(address, "gone")}  # which begins again

    planner = load_shipped("vadv2_demo")
    for scene, driven in plans.items():
        for step, poses in enumerate(driven):
            [alone] = planner.plan_batch([observe(scene, step)])
            assert np.allclose(poses, alone.poses, atol=1e-4), (scene, step)

    os.kill(served.pid, signal.SIGINT)
    assert served.wait(300) == 0
    assert served.stdout.read() == ""
