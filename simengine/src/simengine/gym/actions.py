"""The three kinds of actions: each has a space, a way to a plan, and a tracker that follows it."""

from __future__ import annotations

from typing import Protocol

import gymnasium
import numpy as np

from simengine.agents.policy import PLAN_DT, PLAN_STEPS
from simengine.datatypes.plan import Plan
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.tracking import Tracker
from simengine.errors import PlanError
from simengine.gym.control import ControlLimits, ControlTracking, control_plan, substeps
from simengine.gym.settings import EnvSettings
from simengine.rewards.vocabulary import Vocabulary, load_vocabulary

# Farther than a car gets in four seconds.
REACH = 150.0
_SPEEDS = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0])
_CURVATURES = np.array([-0.1, -0.05, -0.025, -0.01, 0.0, 0.01, 0.025, 0.05, 0.1])
_FASTEST_SIDEWAYS = 4.0


class Actions(Protocol):
    """Turns what an agent chose into a plan."""

    space: gymnasium.Space
    tracker: Tracker

    def plan(self, action: object, state: np.ndarray, vehicle: VehicleParams) -> Plan:
        """Return the plan of `action` at the ego state (11,), or raise `PlanError`."""
        ...


class PlanActions:
    """Poses (40, 3) x, y [m], yaw [rad] in the ego frame, 0.1 s apart."""

    def __init__(self, tracker: Tracker) -> None:
        high = np.tile(np.array([REACH, REACH, np.pi], np.float32), (PLAN_STEPS, 1))
        self.space = gymnasium.spaces.Box(-high, high, dtype=np.float32)
        self.tracker = tracker

    def plan(self, action: object, state: np.ndarray, vehicle: VehicleParams) -> Plan:
        """See `Actions.plan`."""
        return Plan(np.asarray(action, np.float64), PLAN_DT)


class VocabularyActions:
    """Row of a vocabulary."""

    def __init__(self, vocabulary: Vocabulary, tracker: Tracker) -> None:
        self.space = gymnasium.spaces.Discrete(vocabulary.size)
        self.tracker = tracker
        self._vocabulary = vocabulary

    def plan(self, action: object, state: np.ndarray, vehicle: VehicleParams) -> Plan:
        """See `Actions.plan`."""
        index = int(np.asarray(action).item())
        if not 0 <= index < self._vocabulary.size:
            raise PlanError(
                f"the vocabulary index is {index}, expected 0 to {self._vocabulary.size - 1}: it counts rows"
            )
        return Plan(self._vocabulary.plans[index], self._vocabulary.dt, vocabulary_index=index)


class ControlActions:
    """Pedal and wheel in [-1, 1]: acceleration and steering."""

    def __init__(self, limits: ControlLimits, dt: float) -> None:
        self.space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.tracker = ControlTracking()
        self._limits = limits
        self._dt = dt / substeps(dt)

    def plan(self, action: object, state: np.ndarray, vehicle: VehicleParams) -> Plan:
        """See `Actions.plan`."""
        steps = round(PLAN_STEPS * PLAN_DT / self._dt)
        return control_plan(np.asarray(action), state, self._limits, vehicle.wheel_base, steps, self._dt)


def make_actions(settings: EnvSettings) -> Actions:
    """Return the actions that the settings name.

    Raises:
        ConfigError: the vocabulary cannot be read.
    """
    if settings.action == "control":
        return ControlActions(settings.control, settings.protocol.dt)
    tracker = settings.protocol.rules.trackers[settings.run.controller or ""]()
    if settings.action == "plan":
        return PlanActions(tracker)
    given = settings.vocabulary
    if given is None:
        vocabulary = arc_vocabulary()
    elif isinstance(given, np.ndarray):
        vocabulary = Vocabulary(given)
    else:
        vocabulary = load_vocabulary(given)
    return VocabularyActions(vocabulary, tracker)


def arc_vocabulary() -> Vocabulary:
    """Return the built-in vocabulary: arcs at constant speed, none with more than 4 m/s^2 sideways."""
    times = PLAN_DT * np.arange(1, PLAN_STEPS + 1)
    plans = []
    for speed in _SPEEDS:
        for curvature in _CURVATURES:
            if (speed == 0.0 and curvature != 0.0) or speed**2 * abs(curvature) > _FASTEST_SIDEWAYS:
                continue
            along, yaw = speed * times, speed * curvature * times
            chord = along * np.sinc(yaw / (2 * np.pi))
            plans.append(np.stack([chord * np.cos(yaw / 2), chord * np.sin(yaw / 2), yaw], axis=1))
    return Vocabulary(np.stack(plans), PLAN_DT)
