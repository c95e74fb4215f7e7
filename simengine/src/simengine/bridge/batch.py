"""Asking a planner for a batch, so that its failure is a value and not a crash."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass

from simengine.bridge.planner import Planner
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.errors import RemotePlannerError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlannerFault:
    """What a planner said instead of a plan.

    Attributes:
        text: type, message and place of the exception, in one line.
        cause: the exception itself.
    """

    text: str
    cause: Exception


def plan_each(planner: Planner, observations: list[Observation]) -> list[Plan | PlannerFault]:
    """Return a plan or a fault for each observation.

    A batch that fails is repeated one by one: which rollouts fail must not depend on which other
    simulators happened to ask at the same time.
    """
    answers = _plan_together(planner, observations)
    if isinstance(answers, PlannerFault):
        if len(observations) == 1:
            return [answers]
        _LOG.warning("planner %s failed on a batch of %d, asking one by one", planner.name, len(observations))
        return [answer for one in observations for answer in plan_each(planner, [one])]
    return list(answers)


def forget_safely(planner: Planner, token: str) -> None:
    """Call `planner.forget`; a failure is logged, since nobody waits for an answer."""
    try:
        planner.forget(token)
    except Exception:  # noqa: BLE001 - foreign code: its failure must not end the service of others
        _LOG.exception("planner %s failed to forget %s", planner.name, token)


def _plan_together(planner: Planner, observations: list[Observation]) -> list[Plan] | PlannerFault:
    try:
        plans = planner.plan_batch(observations)
        _require_plans(plans, len(observations))
    except Exception as error:  # noqa: BLE001 - foreign code: every failure of it becomes an answer
        tokens = ", ".join(observation.token for observation in observations)
        _LOG.debug("planner %s failed on %s", planner.name, tokens, exc_info=True)
        return PlannerFault(_describe(error), error)
    return plans


def _require_plans(plans: object, count: int) -> None:
    if not isinstance(plans, list | tuple) or len(plans) != count:
        got = f"{len(plans)} plans" if isinstance(plans, list | tuple) else type(plans).__name__
        raise RemotePlannerError(
            f"plan_batch returned {got} for {count} observations, expected a list with one plan each: fix the planner"
        )
    wrong = [type(plan).__name__ for plan in plans if not isinstance(plan, Plan)]
    if wrong:
        raise RemotePlannerError(f"plan_batch returned a {wrong[0]}, expected a Plan: fix the planner")


def _describe(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{place}"
