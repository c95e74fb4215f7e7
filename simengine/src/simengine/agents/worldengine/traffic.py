"""The others in the published loop with `R`: moving ones are driven by the published driver model, others replay.

One thing is not as published. There, agents were updated one after another in the order of the file, so that each saw
a mix of old and new positions; here all of them decide from the same state.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simengine.agents.traffic import Forecast, logged_frame
from simengine.agents.worldengine.navigation import Itinerary, LaneBook
from simengine.agents.worldengine.point_lane import PointLane
from simengine.agents.worldengine.published_idm import DT, acceleration, travelled
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import AgentFrame, SimState
from simengine.errors import ConfigError
from simengine.geometry import se2
from simengine.geometry.angles import wrap
from simengine.scenario.scenario import Scenario

DYNAMIC_SPREAD = 3.0
LATERAL_REACH = 2.0
ROUNDING = 1e-9
NEVER_CREATED = tuple(int(kind) for kind in (AgentType.PEDESTRIAN, AgentType.CYCLIST, AgentType.CZONE_SIGN))


def published_cast(log: AgentTracks) -> AgentTracks:
    """Return the tracks of the log with those valid nowhere that the published loop never creates."""
    hidden = np.isin(log.types, NEVER_CREATED)
    valid = log.valid & ~hidden[:, None]
    there = valid[..., None]
    return replace(
        log, pose=np.where(there, log.pose, 0.0), velocity=np.where(there, log.velocity, 0.0), valid=valid
    )


def is_dynamic(log: AgentTracks) -> np.ndarray:
    """Return which vehicles (A,) spread by more than 3 m in x or y over their log (standard deviation)."""
    spread = [
        float(np.std(pose[valid, :2], axis=0).max()) if valid.any() else 0.0
        for pose, valid in zip(log.pose, log.valid, strict=True)
    ]
    return (log.types == AgentType.VEHICLE) & (np.array(spread).reshape(-1) > DYNAMIC_SPREAD)


class WorldEngineTraffic:
    """Reactive traffic of the published loop (`R`).

    Vehicles that move in the log appear when it does, wherever that is, and never leave again; each step they go on
    by the published driver model. Everybody else replays.

    Args:
        scenario: at 2 Hz.

    Raises:
        ConfigError: the scenario has another rate.
    """

    def __init__(self, scenario: Scenario) -> None:
        if abs(scenario.dt - DT) > 1e-6:
            raise ConfigError(
                f"traffic of worldengine_v1 at a time step of {scenario.dt} s, expected {DT} s: its driver model moves "
                "in such steps; leave protocol.dt out, or use the protocol navsim"
            )
        self._scenario, self._log = scenario, published_cast(scenario.agents)
        self._dynamic = is_dynamic(self._log)
        book = LaneBook(scenario.map)
        self._itinerary: dict[int, Itinerary] = {}
        for i in np.flatnonzero(self._dynamic):
            found = book.itinerary(self._log.pose[i, self._log.valid[i], :2])
            if found is not None:
                self._itinerary[int(i)] = found

    def step(self, state: SimState) -> AgentFrame:
        """Return the agents one frame after `state`."""
        frame = logged_frame(self._log, state.frame + 1)
        pose, velocity, present = frame.pose, frame.velocity, frame.present
        others = _Others.of(state, self._scenario)
        for i, itinerary in self._itinerary.items():
            if state.agents.present[i]:
                pose[i], velocity[i] = _drive(i, itinerary, others)
                present[i] = True
        return AgentFrame(pose, velocity, present)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return what the agents do if the ego goes straight on at constant speed."""
        frames = [state.agents]
        for _ in range(steps):
            frames.append(self.step(state))
            ego = state.ego.copy()
            ego[:3] = se2.shift_forward(ego[:3], ego[StateIndex.VELOCITY_X] * self._scenario.dt)
            state = replace(state, frame=state.frame + 1, ego=ego, agents=frames[-1])
        return Forecast(
            np.stack([frame.pose for frame in frames], axis=1),
            np.stack([frame.velocity for frame in frames], axis=1),
            np.stack([frame.present for frame in frames], axis=1),
        )


class _Others:
    """Everybody that exists at a state, the ego last."""

    def __init__(self, owner: np.ndarray, pose: np.ndarray, speed: np.ndarray, sized: np.ndarray) -> None:
        self.owner, self.pose, self.speed, self.sized = owner, pose, speed, sized

    @classmethod
    def of(cls, state: SimState, scenario: Scenario) -> _Others:
        created = state.agents.present & ~np.isin(scenario.agents.types, NEVER_CREATED)
        index, agents, ego = np.flatnonzero(created), state.agents, state.ego
        lever = scenario.vehicle.rear_axle_to_center
        sideways = ego[StateIndex.VELOCITY_Y] + ego[StateIndex.ANGULAR_VELOCITY] * lever
        speed = np.append(
            np.hypot(agents.velocity[index, 0], agents.velocity[index, 1]),
            np.hypot(ego[StateIndex.VELOCITY_X], sideways),
        )
        pose = np.concatenate([agents.pose[index], se2.shift_forward(ego[None, :3], lever)])
        sized = np.append(scenario.agents.size[index, 0] > 0.0, True)
        return cls(np.append(index, len(agents.present)), pose, speed, sized)


def _drive(agent: int, itinerary: Itinerary, others: _Others) -> tuple[np.ndarray, np.ndarray]:
    """Return pose (3,) and velocity (2,) of one agent half a second later."""
    own = int(np.flatnonzero(others.owner == agent)[0])
    lane = itinerary.lane_at(others.pose[own, :2])
    along, right = (float(value[0]) for value in lane.coordinates(others.pose[own : own + 1, :2]))
    distance, lead_speed = _lead(own, lane, along, right, others)
    speed = float(others.speed[own])
    ahead = along + travelled(speed, acceleration(speed, distance, lead_speed))
    poses = lane.poses(ahead, right)
    return poses[1], (poses[2, :2] - poses[1, :2]) / DT


def _lead(
    own: int, lane: PointLane, along: float, right: float, others: _Others
) -> tuple[float | None, float]:
    """Centre distance to the one ahead, None if nobody is, and its speed; of equally near ones the slowest."""
    their_along, their_right = lane.coordinates(others.pose[:, :2])
    turned = np.abs(wrap(others.pose[:, 2] - others.pose[own, 2]))
    # Streets meet at right angles: rounding must not decide whether those count.
    ahead = (np.abs(their_right - right) <= LATERAL_REACH) & (turned <= 0.5 * np.pi + ROUNDING)
    ahead &= their_along > along
    ahead &= others.sized
    ahead[own] = False
    if not ahead.any():
        return None, 0.0
    away = np.hypot(*(others.pose[ahead, :2] - others.pose[own, :2]).T)
    nearest = away == away.min()
    return float(away.min()), float(others.speed[ahead][nearest].min())
