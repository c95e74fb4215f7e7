"""A planner in the simulator's own process: no socket, no copies."""

from __future__ import annotations

from simengine.bridge.batch import PlannerFault, forget_safely, plan_each
from simengine.bridge.planner import Planner
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import RemotePlannerError


class InProcessClient:
    """A `PlannerConnection` that calls the planner directly; observations pass through untouched."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    @property
    def planner_name(self) -> str:
        """Name of the planner."""
        return self._planner.name

    @property
    def wants_device_images(self) -> bool:
        """Whether the planner takes images as tensors on the renderer's device; see `Planner`."""
        return bool(getattr(self._planner, "wants_device_images", False))

    def wait_until_ready(self, timeout: float | None = None) -> None:
        """Return at once: a planner in this process is always there."""

    def plan(self, observation: Observation) -> Plan:
        """Return the planner's plan.

        Raises:
            RemotePlannerError: the planner raised; its own exception is the cause.
        """
        (answer,) = plan_each(self._planner, [observation])
        if isinstance(answer, PlannerFault):
            raise RemotePlannerError(
                f"planner {self._planner.name} failed on {observation.token} step {observation.step}: {answer.text}"
            ) from answer.cause
        return answer

    def finish(self, token: str) -> None:
        """Tell the planner that the rollout `token` has ended."""
        forget_safely(self._planner, token)

    def close(self) -> None:
        """Do nothing: the planner belongs to the caller."""

    def __enter__(self) -> InProcessClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
