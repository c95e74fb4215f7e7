"""What a protocol does besides its rates: the strategies of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from simengine.agents.traffic import IdmTraffic, LogReplay, TrafficModel
from simengine.datatypes.agents import AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.tracking import LqrTracking, PerfectTracking, Tracker
from simengine.scenario.scenario import Scenario


@dataclass(frozen=True)
class LoopRules:
    """The strategies of a closed loop; the first of several named ones is the default.

    Attributes:
        trackers: ways in which the ego follows plans, by name.
        traffic: what the others do, by name: scenario at the simulation rate -> model.
        metric: scoring mode meant for the protocol.
        rewards: mode of vocabulary rewards meant for it.
        absent: kinds of agents that are not simulated.
        warm_up: whether traffic moves by its model from the first frame of the history on; otherwise it replays its
            log up to the first decision.
        logged_states: scenario, number of frames -> states (frames, 11) of the ego while it is played from its log.
        told_motion: states (F, 11) `dt` [s] apart -> velocity and acceleration (F, 4) as observations tell them.
        commanded_at: scenario, frames (H,), poses of the ego at these (H, 3) -> poses (H, 3) that driving commands
            are for.
    """

    trackers: Mapping[str, Callable[[], Tracker]]
    traffic: Mapping[str, Callable[[Scenario], TrafficModel]]
    metric: str
    rewards: str
    absent: frozenset[AgentType]
    warm_up: bool
    logged_states: Callable[[Scenario, int], np.ndarray]
    told_motion: Callable[[np.ndarray, VehicleParams, float], np.ndarray]
    commanded_at: Callable[[Scenario, np.ndarray, np.ndarray], np.ndarray]


def logged_states(scenario: Scenario, frames: int) -> np.ndarray:
    """Return the first states (frames, 11) of the logged ego as NAVSIM reads them: no steering, no yaw terms."""
    return np.stack([scenario.ego.state(frame) for frame in range(frames)])


def rear_axle_motion(states: np.ndarray, vehicle: VehicleParams, dt: float) -> np.ndarray:
    """Return velocity and acceleration (F, 4) of the rear axle in vehicle axes, as the states (F, 11) have them."""
    return states[:, StateIndex.VELOCITY_X : StateIndex.ACCELERATION_Y + 1]


def driven_poses(scenario: Scenario, frames: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return `poses` (H, 3): commands are for where the ego is."""
    return poses


NAVSIM_RULES = LoopRules(
    trackers={"lqr": LqrTracking, "perfect": PerfectTracking},
    traffic={"NR": LogReplay, "R": IdmTraffic},
    metric="navsim_v1",
    rewards="navsim_v1",
    absent=frozenset(),
    warm_up=False,
    logged_states=logged_states,
    told_motion=rear_axle_motion,
    commanded_at=driven_poses,
)
