"""A planner process for the tests: serves until a signal; a sleep in s may follow the address."""

from __future__ import annotations

import sys
import time

import numpy as np

from simengine.bridge.server import PlannerServer
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan


class SleepyPlanner:
    name = "sleepy"

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.seen = 0

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        print("planning", flush=True)
        time.sleep(self.delay)
        self.seen += 1
        checksum = [sum(int(image.sum()) for image in o.images.values()) for o in observations]
        return [Plan(np.full((1, 3), float(c)), 0.1, self.seen) for c in checksum]

    def forget(self, token: str) -> None:
        pass


if __name__ == "__main__":
    with PlannerServer(SleepyPlanner(float(sys.argv[2])), sys.argv[1]) as server:
        print("listening", flush=True)
        server.serve_forever()
    print("ended", flush=True)
