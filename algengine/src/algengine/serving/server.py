"""Runs a planner behind the bridge until a signal stops it."""

from __future__ import annotations

from collections.abc import Callable

from algengine.serving.planner import VadPlanner
from simengine.bridge.curve import CurveKeys
from simengine.bridge.server import PlannerServer


def serve(
    planner: VadPlanner,
    address: str,
    keys: CurveKeys | None = None,
    listening: Callable[[str], None] = lambda _: None,
) -> None:
    """Answer simulators at `address` until SIGTERM or Ctrl-C.

    Args:
        planner: answers.
        address: `ipc://PATH` or `tcp://HOST:PORT`; port `*` takes a free one.
        keys: encrypt, as other hosts require.
        listening: told the address once it is bound.

    Raises:
        ConfigError: the address is malformed, taken or open to other hosts without keys.
    """
    about = {"model": planner.name, "weights": planner.weights_hash, "device": str(planner.device)}
    with PlannerServer(planner, address, curve_keys=keys, metadata=about) as server:
        listening(server.address)
        server.serve_forever()
