"""Runs a planner behind the bridge until a signal stops it."""

from __future__ import annotations

from algengine.serving.planner import VadPlanner
from simengine.bridge.curve import CurveKeys
from simengine.bridge.server import PlannerServer


def serve(planner: VadPlanner, address: str, keys: CurveKeys | None = None) -> None:
    """Answer simulators at `address` until SIGTERM or Ctrl-C; `keys` encrypt, as other hosts require."""
    about = {"model": planner.name, "weights": planner.weights_hash, "device": str(planner.device)}
    with PlannerServer(planner, address, curve_keys=keys, metadata=about) as server:
        server.serve_forever()
