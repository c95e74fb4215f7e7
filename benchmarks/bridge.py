"""Round trip between a simulator and a planner process on one host, as JSON beside its budget.

The planner touches one byte in each memory page of every image and answers with a plan of 40 poses:

    python benchmarks/bridge.py --rounds 200
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np

from simengine.bridge.address import private_ipc_address
from simengine.bridge.client import PlannerClient
from simengine.bridge.server import PlannerServer
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan

CAMERAS = 8
PAGE_BYTES = 4096
# width, height, budget of the median with shared memory [ms]
RIGS = ((1920, 1080, 5.0), (320, 180, 1.0))


class EchoPlanner:
    """Answers at once with what it read."""

    name = "echo"

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        """Return plans whose first pose holds the sum of the touched bytes."""
        return [self._plan(observation) for observation in observations]

    def forget(self, token: str) -> None:
        """Do nothing: an echo remembers nothing."""

    def _plan(self, observation: Observation) -> Plan:
        poses = np.zeros((40, 3))
        poses[0, 0] = touched_sum(observation)
        return Plan(poses, 0.1)


def touched_sum(observation: Observation) -> float:
    return float(sum(int(image.reshape(-1)[::PAGE_BYTES].sum()) for image in observation.images.values()))


def make_observation(width_px: int, height_px: int) -> Observation:
    rng = np.random.default_rng(0)
    intrinsic = np.array([[width_px, 0, width_px / 2], [0, width_px, height_px / 2], [0, 0, 1.0]])
    names = [f"CAM_{k}" for k in range(CAMERAS)]
    return Observation(
        token="benchmark",
        step=0,
        timestamp_us=0,
        images={name: rng.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8) for name in names},
        cameras=tuple(
            CameraCalibration(name, width_px, height_px, intrinsic, np.eye(4), np.zeros(5)) for name in names
        ),
        ego_pose=np.zeros(3),
        ego_history=np.zeros((4, 3)),
        velocity_history=np.zeros((4, 2)),
        acceleration_history=np.zeros((4, 2)),
        command_history=np.ones(4, np.int8),
        history_valid=np.ones(4, bool),
        history_dt=0.5,
    )


def measure(address: str, observation: Observation, shared: bool, rounds: int) -> np.ndarray:
    """Return the duration of each round trip [ms], without the first few."""
    expected = touched_sum(observation)
    durations = []
    with PlannerClient(address, shared_images=shared) as client:
        for _ in range(rounds + 5):
            start = time.perf_counter()
            plan = client.plan(observation)
            durations.append(1e3 * (time.perf_counter() - start))
            assert plan.poses[0, 0] == expected, "the planner saw other images"
        assert client.uses_shared_memory == shared
    return np.array(durations[5:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100, help="round trips for each figure")
    parser.add_argument("--serve", metavar="ADDRESS", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        PlannerServer(EchoPlanner(), options.serve).serve_forever()
        return
    results = []
    with private_ipc_address() as address:
        process = subprocess.Popen([sys.executable, __file__, "--serve", address])
        try:
            for width_px, height_px, budget in RIGS:
                observation = make_observation(width_px, height_px)
                for shared in (True, False):
                    durations = measure(address, observation, shared, options.rounds)
                    results.append(
                        {
                            "images": f"{CAMERAS}x{width_px}x{height_px}x3",
                            "transport": "shared memory" if shared else "raw frames",
                            "p50_ms": round(float(np.percentile(durations, 50)), 3),
                            "p90_ms": round(float(np.percentile(durations, 90)), 3),
                            "budget_p50_ms": budget,
                            "within_budget": bool(np.percentile(durations, 50) <= budget),
                        }
                    )
        finally:
            process.terminate()
            process.wait(10)
    print(
        json.dumps({"benchmark": "bridge round trip", "rounds": options.rounds, "results": results}, indent=2)
    )


if __name__ == "__main__":
    main()
