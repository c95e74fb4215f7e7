"""The planner under examination: in this process or behind the bridge's socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from simengine.bridge.batch import PlannerFault, forget_safely, plan_each
from simengine.bridge.client import PlannerClient
from simengine.bridge.planner import Planner
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import (
    BridgeError,
    PlanError,
    PlannerTimeoutError,
    RemotePlannerError,
    VersionMismatchError,
)

Answer = Plan | str
"""A plan, or why there is none."""


class Target(Protocol):
    """A planner that can be asked."""

    name: str

    def ask(self, observations: Sequence[Observation]) -> list[Answer]:
        """Return an answer for each observation of different rollouts, asked together."""
        ...

    def finish(self, token: str) -> None:
        """Tell that a rollout has ended."""
        ...

    def close(self) -> None:
        """End the conversation."""
        ...


class InProcessTarget:
    """A planner object in this process."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.name = planner.name

    def ask(self, observations: Sequence[Observation]) -> list[Answer]:
        """Return what the planner says to one batch."""
        answers = plan_each(self._planner, list(observations))
        return [a.text if isinstance(a, PlannerFault) else a for a in answers]

    def finish(self, token: str) -> None:
        """Let the planner forget."""
        forget_safely(self._planner, token)

    def close(self) -> None:
        """Do nothing: the planner belongs to the caller."""


class SocketTarget:
    """A planner behind a socket, asked by as many simulators as there are rollouts at a time.

    Args:
        connect: makes one more simulator's connection.
    """

    def __init__(self, connect: Callable[[], PlannerClient]) -> None:
        self._connect = connect
        self._clients = [connect()]
        self._pool = ThreadPoolExecutor(8)
        try:
            self._clients[0].wait_until_ready()
        except BaseException:
            self.close()
            raise
        self.name = self._clients[0].planner_name or "planner"

    def ask(self, observations: Sequence[Observation]) -> list[Answer]:
        """Return what the planner says to simulators that ask at the same time."""
        while len(self._clients) < len(observations):
            self._clients.append(self._connect())
        return list(self._pool.map(_plan, self._clients, observations))

    def finish(self, token: str) -> None:
        """Tell the planner that a rollout has ended."""
        for client in self._clients:
            client.finish(token)

    def close(self) -> None:
        """Hang up."""
        self._pool.shutdown()
        for client in self._clients:
            client.close()


def _plan(client: PlannerClient, observation: Observation) -> Answer:
    try:
        return client.plan(observation)
    except (PlannerTimeoutError, VersionMismatchError):
        raise
    except (RemotePlannerError, BridgeError, PlanError) as error:
        return str(error)
