"""A planner in the simulator's own process: no socket, no copies."""

from __future__ import annotations

import importlib
import inspect

from simengine.bridge.batch import PlannerFault, forget_safely, plan_each
from simengine.bridge.planner import Planner
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import ConfigError, RemotePlannerError


def make_planner(option: str, name: str, **arguments: str) -> Planner:
    """Return the planner that a function called `package.module:function` makes of `arguments`.

    Args:
        option: what the user named it with.
        name: of the function.
        arguments: it is called with their values, in this order; their names are for the error.

    Raises:
        ConfigError: there is no such function, it takes other arguments, or what it makes is no planner.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{option} is {name!r} and cannot be imported ({error}), expected package.module:function, such as "
            "algengine.serving.load:load_shipped"
        ) from error
    try:
        inspect.signature(found).bind(*arguments.values())
    except (TypeError, ValueError) as error:
        wanted = f"of {', '.join(arguments)}" if arguments else "without arguments"
        raise ConfigError(f"{option} is {name!r} ({error}), expected a function {wanted}") from error
    planner = found(*arguments.values())
    if not isinstance(planner, Planner):
        raise ConfigError(
            f"{option} is {name!r} and makes a {type(planner).__name__}, expected a planner: an object with a name, "
            "plan_batch and forget"
        )
    return planner


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
