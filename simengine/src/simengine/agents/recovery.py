"""Perturbed starts: the ego gets off its track during the history, so that whoever drives then has to recover."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely

from simengine.agents.expert import drivable_areas
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import SimState
from simengine.errors import ConfigError, ScenarioFormatError
from simengine.geometry import boxes, se2
from simengine.geometry.angles import wrap
from simengine.scenario.scenario import Scenario

SLOWEST = 2.0
"""A car slower than this is moved aside as if it went this fast [m/s]."""


@dataclass(frozen=True)
class RecoveryParams:
    """How far a start may be off; each is drawn evenly between minus and plus.

    Attributes:
        lateral: [m].
        heading: [rad].
        speed: [m/s]; a car never goes backwards.
        clearance: free room that a start needs around the box of the ego [m].
        draws: how many to try.

    Raises:
        ConfigError: a number makes no sense.
    """

    lateral: float = 1.0
    heading: float = 0.12
    speed: float = 2.0
    clearance: float = 0.3
    draws: int = 50

    def __post_init__(self) -> None:
        if min(self.lateral, self.heading, self.speed, self.clearance) < 0 or self.heading > 1.0:
            raise ConfigError(
                f"recovery has lateral {self.lateral} m, heading {self.heading:.2f} rad, speed {self.speed} m/s and "
                f"clearance {self.clearance} m, expected none below 0 and a heading of at most 1 rad"
            )
        if self.draws < 1:
            raise ConfigError(f"recovery.draws is {self.draws}, expected at least 1")


@dataclass(frozen=True)
class Offset:
    """How far a start is off: to the left [m], turned left [rad], faster [m/s]."""

    lateral: float
    heading: float
    speed: float


def perturbed_start(
    scenario: Scenario, state: SimState, params: RecoveryParams, seed: int, history: float
) -> SimState:
    """Return the state at the first decision with the ego off its track.

    The same seed gives the same start. Draws that touch somebody or leave the road are drawn again.

    Args:
        scenario: at the simulation rate.
        state: as logged.
        params: how far off.
        seed: of the episode.
        history: the time before the first decision over which the ego gets off [s].

    Raises:
        ScenarioFormatError: no draw is possible.
    """
    rng = np.random.default_rng(seed)
    road = _road_under(scenario, state)
    for _ in range(params.draws):
        drawn = Offset(*(rng.uniform(-most, most) for most in (params.lateral, params.heading, params.speed)))
        trail = perturbed_trail(state.ego_trail, drawn, history, scenario.dt)
        if _is_possible(scenario, state, trail[-1], params.clearance, road):
            return replace(state, ego=trail[-1], ego_trail=trail)
    raise ScenarioFormatError(
        f"scenario {scenario.token}: each of {params.draws} perturbed starts touches somebody or leaves the road, "
        "expected one that does not: make recovery.lateral or recovery.clearance smaller, or leave it out"
    )


def perturbed_trail(trail: np.ndarray, offset: Offset, history: float, dt: float) -> np.ndarray:
    """Return states (F, 11) that leave `trail` (F, 11) smoothly and are off by `offset` at its end.

    The lateral offset is a cubic in time whose slope is the change of heading; positions along the track fit the change
    of speed. Steering and yaw terms stay as they are.

    Args:
        trail: logged states.
        offset: at the last of them.
        history: over how much of its end [s].
        dt: time between states [s].
    """
    time = dt * (np.arange(len(trail)) - len(trail) + 1)
    length = max(min(history, -float(time[0])), dt)
    u = np.clip(1.0 + time / length, 0.0, 1.0)
    grown, pace = u * u * (3.0 - 2.0 * u), np.maximum(trail[:, StateIndex.VELOCITY_X], SLOWEST)
    side_rate = pace[-1] * np.tan(offset.heading)
    side = offset.lateral * grown + length * side_rate * (u**3 - u**2)
    rate = (offset.lateral * 6.0 * u * (1.0 - u)) / length + side_rate * (3.0 * u**2 - 2.0 * u)
    speed = np.maximum(trail[:, StateIndex.VELOCITY_X] + offset.speed * grown, 0.0)
    faster = speed - trail[:, StateIndex.VELOCITY_X]
    gained = np.concatenate([[0.0], np.cumsum(0.5 * dt * (faster[1:] + faster[:-1]))])

    moved = trail.copy()
    yaw = trail[:, StateIndex.HEADING]
    ahead = gained - gained[-1]
    moved[:, 0] += np.cos(yaw) * ahead - np.sin(yaw) * side
    moved[:, 1] += np.sin(yaw) * ahead + np.cos(yaw) * side
    moved[:, StateIndex.HEADING] = wrap(yaw + np.arctan2(rate, pace))
    moved[:, StateIndex.VELOCITY_X] = speed
    moved[:, StateIndex.ACCELERATION_X] += np.gradient(faster, dt) * (u < 1.0) if len(trail) > 1 else 0.0
    return moved


def _box(scenario: Scenario, ego: np.ndarray, margin: float) -> np.ndarray:
    vehicle = scenario.vehicle
    centre = se2.shift_forward(ego[:3], vehicle.rear_axle_to_center)
    return boxes.corners(centre, vehicle.length + 2 * margin, vehicle.width + 2 * margin)


def _road_under(scenario: Scenario, state: SimState) -> shapely.Geometry | None:
    """Return the drivable area; None if the map has none, or the log itself starts outside of it."""
    road, _ = drivable_areas(scenario.map, scenario.route)
    return road if road is not None and _inside(road, _box(scenario, state.ego, 0.0)) else None


def _inside(road: shapely.Geometry, corners: np.ndarray) -> bool:
    return bool(shapely.contains_xy(road, corners[:, 0], corners[:, 1]).all())


def _is_possible(
    scenario: Scenario, state: SimState, ego: np.ndarray, clearance: float, road: shapely.Geometry | None
) -> bool:
    if road is not None and not _inside(road, _box(scenario, ego, 0.0)):
        return False
    present = np.flatnonzero(state.agents.present)
    size = scenario.agents.size[present]
    others = boxes.corners(state.agents.pose[present], size[:, 0], size[:, 1])

    def touched(who: np.ndarray, margin: float) -> np.ndarray:
        return boxes.overlap(_box(scenario, who, margin)[None], others)

    # Who is too close to the logged ego is so whatever is drawn.
    return not any((touched(ego, m) & ~touched(state.ego, m)).any() for m in (clearance, 0.0))
