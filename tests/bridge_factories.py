"""Planners, observations and running servers for the tests of the bridge."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from simengine.bridge.server import PlannerServer
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan

PATIENCE = 120.0  # many times what anything takes on an idle machine [s]


def make_camera(name: str = "CAM_F0", width_px: int = 8, height_px: int = 4) -> CameraCalibration:
    """Return a camera that looks forward."""
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    intrinsic = np.array([[width_px, 0, width_px / 2], [0, width_px, height_px / 2], [0, 0, 1.0]])
    return CameraCalibration(name, width_px, height_px, intrinsic, pose, np.zeros(5))


def make_observation(
    token: str = "token", step: int = 0, cameras: int = 1, size: tuple[int, int] = (8, 4), **changes: object
) -> Observation:
    """Return an observation whose values depend on `step`; `size` is width and height of its images."""
    rng = np.random.default_rng(step + 1000 * cameras)
    calibrations = tuple(make_camera(f"CAM_{k}", *size) for k in range(cameras))
    observation = Observation(
        token=token,
        step=step,
        timestamp_us=1_600_000_000_000_000 + 500_000 * step,
        images={
            c.name: rng.integers(0, 256, (c.height_px, c.width_px, 3), dtype=np.uint8) for c in calibrations
        },
        cameras=calibrations,
        ego_pose=rng.normal(size=3),
        ego_history=rng.normal(size=(4, 3)),
        velocity_history=rng.normal(size=(4, 2)),
        acceleration_history=rng.normal(size=(4, 2)),
        command_history=rng.integers(0, 4, 4).astype(np.int8),
        history_valid=np.array([False, True, True, True]),
        history_dt=0.5,
    )
    return replace(observation, **changes)


def plan_for(observation: Observation, seen: int = 0) -> Plan:
    """Return a plan that depends on every part of an observation."""
    poses = np.zeros((40, 3))
    poses[:, 0] = observation.ego_history[-1, 0] + observation.step + 0.1 * np.arange(40)
    poses[:, 1] = sum(float(image.sum()) * (k + 1) for k, image in enumerate(observation.images.values()))
    poses[:, 2] = observation.velocity_history.sum() + seen
    return Plan(
        poses, 0.1, int(observation.command_history[-1]), scores=observation.ego_pose.astype(np.float32)
    )


class MemoryPlanner:
    """Answers with `plan_for`, remembers how often it saw each token, and notes its batches.

    It takes `delay` seconds for a batch, and waits until `ready` is set.
    """

    name = "memory"

    def __init__(self, delay: float = 0.0) -> None:
        self.delay, self.ready = delay, threading.Event()
        self.ready.set()
        self.seen: dict[str, int] = {}
        self.batches: list[list[str]] = []
        self.forgotten: list[str] = []

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        self.batches.append([observation.token for observation in observations])
        time.sleep(self.delay)
        assert self.ready.wait(PATIENCE)
        plans = []
        for observation in observations:
            if observation.token.startswith("bad"):
                raise ValueError(f"cannot plan for {observation.token}")
            if observation.step == 0:
                self.seen[observation.token] = 0
            self.seen[observation.token] = self.seen.get(observation.token, 0) + 1
            plans.append(plan_for(observation, self.seen[observation.token]))
        return plans

    def forget(self, token: str) -> None:
        self.forgotten.append(token)
        self.seen.pop(token, None)


def plans_equal(first: Plan, second: Plan) -> bool:
    """Return whether two plans have the same bits."""
    pairs = [(first.poses, second.poses), (first.scores, second.scores), (first.log_probs, second.log_probs)]
    for a, b in pairs:
        if (a is None) != (b is None):
            return False
        if (
            a is not None
            and b is not None
            and (a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes())
        ):
            return False
    return first.dt == second.dt and first.vocabulary_index == second.vocabulary_index


@contextmanager
def serving(planner: object, address: str, **options: object) -> Iterator[PlannerServer]:
    """Run a server in a thread until the end of the block."""
    server = PlannerServer(planner, address, **options)
    stop = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(stop,))
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not stop"


def shared_memory() -> set[str]:
    """Return the names of shared memory that is ours or a `multiprocessing.shared_memory`; others have theirs there."""
    return {name for name in os.listdir("/dev/shm") if name.startswith(("simengine", "psm_"))}


def wait_until(condition: object, timeout: float = PATIENCE) -> None:
    """Return once `condition()` is true, or fail."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
