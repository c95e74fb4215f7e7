"""Runs a planner behind the bridge until a signal stops it."""

from __future__ import annotations

from simengine.bridge.planner import Planner
from simengine.bridge.server import PlannerServer


def serve(planner: Planner, address: str) -> None:
    """Answer simulators at `address` until SIGTERM or Ctrl-C."""
    with PlannerServer(planner, address, metadata={"model": planner.name}) as server:
        server.serve_forever()
