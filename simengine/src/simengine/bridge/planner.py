"""What a planner offers, and what a simulation needs from a connection to one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan


@runtime_checkable
class Planner(Protocol):
    """A policy that turns observations into plans, several rollouts at a time.

    Calls come from one thread, one at a time. A planner with memory keys it by `Observation.token`:

    * `step == 0` starts a new rollout, whatever was remembered under that token.
    * The same token and step may come twice (an answer was lost, or a batch is repeated one by one
      after it failed); the later one replaces the earlier.
    * The first step seen may be larger than 0 (this planner was restarted in the middle of a rollout).

    Images are read-only and hold their values only during the call: copy what you keep.

    A planner in the simulator's process may have an attribute `wants_device_images = True`: where images are drawn on
    a GPU, it is then given (H, W, 3) uint8 torch tensors on that device, which never pass through host memory.
    """

    name: str

    def plan_batch(self, observations: list[Observation]) -> list[Plan]:
        """Return one plan for each observation, in the same order.

        Args:
            observations: present states of different rollouts, at least one.

        Returns:
            Plans with poses (N, 3) in the ego frame [m, m, rad] of their observation.
        """
        ...

    def forget(self, token: str) -> None:
        """Drop what is remembered of a rollout that has ended; an unknown token is no error."""
        ...


class PlannerConnection(Protocol):
    """A simulator's end of the bridge, the same over a socket and in one process."""

    def plan(self, observation: Observation) -> Plan:
        """Return the planner's plan, or raise a `BridgeError` within a deadline."""
        ...

    def finish(self, token: str) -> None:
        """Tell the planner that the rollout `token` has ended."""
        ...

    def close(self) -> None:
        """End the conversation; closing twice is no error."""
        ...
