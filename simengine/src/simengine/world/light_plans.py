"""What the lights of a crossing show over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simengine.datatypes.lights import LightState
from simengine.world.places.junction import ARM_NAMES

GREEN_TIME = 14.0
YELLOW_TIME = 2.5
ALL_RED_TIME = 1.0
PHASE = GREEN_TIME + YELLOW_TIME + ALL_RED_TIME

LightPlan = Callable[[str, float], LightState]


def one_by_one(arm: str, since_green: float, delays: Mapping[str, float] | None = None) -> LightPlan:
    """Return a light plan where the arms of a crossing are green one after another.

    Args:
        arm: the arm that anchors the plan.
        since_green: how long it has been green at time 0 [s]; negative if it will turn green then.
        delays: junction -> how much later its plan runs [s], where there are several.
    """
    return _plan(4, lambda which: ARM_NAMES.index(which) - ARM_NAMES.index(arm), since_green, delays)


def two_by_two(arm: str, since_green: float, delays: Mapping[str, float] | None = None) -> LightPlan:
    """Return a light plan where opposite arms are green together, so that left turns have to yield."""
    return _plan(2, lambda which: (ARM_NAMES.index(which) - ARM_NAMES.index(arm)) % 2, since_green, delays)


def _plan(
    phases: int, turn_of: Callable[[str], int], since_green: float, delays: Mapping[str, float] | None
) -> LightPlan:
    def plan(approach: str, time: float) -> LightState:
        junction, _, which = approach.rpartition(".")
        delay = (delays or {}).get(junction, 0.0)
        at = (time - delay + since_green - turn_of(which) % phases * PHASE) % (phases * PHASE)
        if at < GREEN_TIME:
            return LightState.GREEN
        return LightState.YELLOW if at < GREEN_TIME + YELLOW_TIME else LightState.RED

    return plan
