"""What the other road users do: replay the log, or react by the intelligent driver model.

A traffic model is a pure function of the state: every agent decides from the same frame, so the result
does not depend on the order of agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simengine.agents import idm
from simengine.agents.lead import find_leads, project
from simengine.agents.paths import PathSet
from simengine.agents.roster import Role, Roster, make_roster
from simengine.agents.signals import STOP_BEFORE_LINE, must_stop, stop_gap
from simengine.datatypes.agents import STATIC_TYPES, AgentTracks, AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import AgentFrame, SimState
from simengine.geometry import boxes, se2
from simengine.scenario.scenario import Scenario

MOVER_MARGIN = 0.25
PREDICTION_TIMES = np.array([0.5, 1.0, 1.5, 2.0])
SPAWN_MARGIN = 0.5


@dataclass(frozen=True)
class Forecast:
    """Where all agents are expected to be, the present first.

    Attributes:
        pose: (A, H, 3) box centres in world.
        velocity: (A, H, 2) in world axes [m/s].
        present: (A, H) bool.
    """

    pose: np.ndarray
    velocity: np.ndarray
    present: np.ndarray


class TrafficModel(Protocol):
    """All road users but the ego."""

    def step(self, state: SimState) -> AgentFrame:
        """Return the agents one frame after `state`."""
        ...

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return where the agents will probably be at `state` and the `steps` frames after it."""
        ...


class LogReplay:
    """Traffic that repeats its log whatever the ego does (`NR`)."""

    def __init__(self, scenario: Scenario) -> None:
        self._log = scenario.agents

    def step(self, state: SimState) -> AgentFrame:
        """Return the logged agents one frame after `state`; nobody exists after the end of the log."""
        return logged_frame(self._log, state.frame + 1)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return the logged future."""
        return logged_future(self._log, state.frame, steps)


def logged_frame(log: AgentTracks, frame: int) -> AgentFrame:
    """Return the agents of a log at one frame; rows that are not present hold zeros."""
    if frame >= log.num_frames:
        a = log.num_agents
        return AgentFrame(np.zeros((a, 3)), np.zeros((a, 2)), np.zeros(a, bool))
    return AgentFrame(log.pose[:, frame].copy(), log.velocity[:, frame].copy(), log.valid[:, frame].copy())


def logged_future(log: AgentTracks, frame: int, steps: int) -> Forecast:
    """Return the frames `frame` to `frame + steps` of a log; absent after its end."""
    index = np.arange(frame, frame + steps + 1)
    inside = index < log.num_frames
    at = np.minimum(index, log.num_frames - 1)
    return Forecast(log.pose[:, at], log.velocity[:, at], log.valid[:, at] & inside)


class IdmTraffic:
    """Traffic whose vehicles follow their paths and keep their distance (`R`).

    Args:
        scenario: the scenario at the simulation rate.
        params: how vehicles accelerate and brake.
        roster: who does what along which path; by default read off the scenario's log.
    """

    def __init__(
        self, scenario: Scenario, params: idm.IdmParams | None = None, roster: Roster | None = None
    ) -> None:
        self._params = params or idm.IdmParams()
        self._scenario, self._log = scenario, scenario.agents
        self._roster = roster if roster is not None else make_roster(scenario)
        self._paths = PathSet.pack(self._roster.paths)
        self._half = 0.5 * self._log.size[:, :2]
        types = self._log.types
        self._margin = np.where(np.isin(types, STATIC_TYPES), 0.0, MOVER_MARGIN)
        self._margin[self._roster.role == Role.STAND] = 0.0
        self._yields = (types == AgentType.VEHICLE).astype(np.float64)

    def step(self, state: SimState) -> AgentFrame:
        """Return the agents one frame after `state`."""
        role, present = self._roster.role, state.agents.present
        frame = logged_frame(self._log, state.frame + 1)
        pose, velocity, next_present = frame.pose, frame.velocity, frame.present
        logged = next_present.copy()
        stands = present & (role == Role.STAND)
        pose[stands], velocity[stands], next_present[stands] = state.agents.pose[stands], 0.0, True
        drives = np.flatnonzero(present & (role == Role.DRIVE))
        if len(drives):
            row = self._roster.path_row[drives]
            s, speed, accel = self._decide(state, drives, row)
            distance, after = idm.advance(speed, accel, self._scenario.dt)
            moved = self._paths.pose(row, s + distance)
            pose[drives] = moved
            velocity[drives] = after[:, None] * np.column_stack([np.cos(moved[:, 2]), np.sin(moved[:, 2])])
            next_present[drives] = True
        arriving = np.flatnonzero(logged & ~present & (role != Role.REPLAY))
        if len(arriving):
            next_present[arriving] = self._place_is_free(state, arriving, pose, next_present)
            pose[~next_present], velocity[~next_present] = 0.0, 0.0
        return AgentFrame(pose, velocity, next_present)

    def forecast(self, state: SimState, steps: int) -> Forecast:
        """Return vehicles going on along their paths at constant speed and everyone else's logged future."""
        role, present = self._roster.role, state.agents.present
        future = logged_future(self._log, state.frame, steps)
        pose, velocity, shown = future.pose.copy(), future.velocity.copy(), future.present.copy()
        held = present & (role != Role.REPLAY)
        pose[held] = state.agents.pose[held, None]
        velocity[held] = 0.0
        shown[role != Role.REPLAY] = present[role != Role.REPLAY, None]
        drives = np.flatnonzero(present & (role == Role.DRIVE))
        if len(drives):
            row = self._roster.path_row[drives]
            s, speed = self._along(state, drives, row)
            at = s[:, None] + speed[:, None] * self._scenario.dt * np.arange(steps + 1)
            flat = self._paths.pose(np.repeat(row, steps + 1), at.ravel()).reshape(len(drives), steps + 1, 3)
            pose[drives] = flat
            velocity[drives] = speed[:, None, None] * np.stack(
                [np.cos(flat[..., 2]), np.sin(flat[..., 2])], -1
            )
        return Forecast(pose, velocity, shown)

    def _along(self, state: SimState, drives: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Arc length and speed of the driving agents."""
        velocity = state.agents.velocity[drives]
        return project(self._paths, row, state.agents.pose[drives]), np.hypot(velocity[:, 0], velocity[:, 1])

    def _decide(
        self, state: SimState, drives: np.ndarray, row: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Arc length, speed and acceleration of the driving agents."""
        params = self._params
        s, speed = self._along(state, drives, row)
        obstacles, owner = self._obstacles(state)
        ignore = self._roster.ignore[drives][:, owner] | (drives[:, None] == owner[None, :])
        ahead = 12.0 + 4.0 * speed
        gap, lead_speed = find_leads(
            self._paths,
            row,
            s,
            speed,
            self._half[drives],
            obstacles,
            ignore,
            ahead,
            self._predict(state, obstacles, owner, drives, s, speed),
            PREDICTION_TIMES,
        )
        wanted = self._paths.limit(row, s)
        accel = idm.acceleration(speed, wanted, gap, speed - lead_speed, params)
        stop = self._red_light_gap(state, drives, row, s, speed)
        return s, speed, np.minimum(accel, idm.acceleration(speed, wanted, stop, speed, params))

    def _obstacles(self, state: SimState) -> tuple[np.ndarray, np.ndarray]:
        """Obstacle rows (K, 9) of the ego and all present agents, and whose they are (ego: A)."""
        present = np.flatnonzero(state.agents.present)
        vehicle, ego = self._scenario.vehicle, state.ego
        rows = np.empty((len(present) + 1, 9))
        rows[:-1, 0:3] = state.agents.pose[present]
        rows[:-1, 3:5] = self._half[present]
        rows[:-1, 5:7] = state.agents.velocity[present]
        rows[:-1, 7] = self._margin[present]
        rows[:-1, 8] = self._yields[present]
        speed = ego[StateIndex.VELOCITY_X]
        rows[-1, 0:3] = se2.shift_forward(ego[:3], vehicle.rear_axle_to_center)
        rows[-1, 3:5] = 0.5 * vehicle.length, 0.5 * vehicle.width
        rows[-1, 5:7] = speed * np.cos(ego[2]), speed * np.sin(ego[2])
        rows[-1, 7:9] = MOVER_MARGIN, 0.0
        return rows, np.append(present, self._log.num_agents)

    def _predict(
        self,
        state: SimState,
        obstacles: np.ndarray,
        owner: np.ndarray,
        drives: np.ndarray,
        s: np.ndarray,
        speed: np.ndarray,
    ) -> np.ndarray:
        """Poses (K, M, 3) of the obstacles at `PREDICTION_TIMES`: drivers stay on their paths.

        The ego keeps its yaw rate; everyone else goes straight on.
        """
        count = len(PREDICTION_TIMES)
        later = np.repeat(obstacles[:, None, :3], count, axis=1)
        later[:, :, :2] += obstacles[:, None, 5:7] * PREDICTION_TIMES[:, None]
        at = (s[:, None] + speed[:, None] * PREDICTION_TIMES).ravel()
        row = np.repeat(self._roster.path_row[drives], count)
        place = np.full(self._log.num_agents + 1, -1)
        place[owner] = np.arange(len(owner))
        later[place[drives]] = self._paths.pose(row, at).reshape(len(drives), count, 3)
        turned = state.ego[StateIndex.ANGULAR_VELOCITY] * PREDICTION_TIMES
        heading = state.ego[2] + 0.5 * turned
        travelled = state.ego[StateIndex.VELOCITY_X] * PREDICTION_TIMES
        later[-1, :, 0] = obstacles[-1, 0] + travelled * np.cos(heading)
        later[-1, :, 1] = obstacles[-1, 1] + travelled * np.sin(heading)
        later[-1, :, 2] = state.ego[2] + turned
        return later

    def _red_light_gap(
        self, state: SimState, drives: np.ndarray, row: np.ndarray, s: np.ndarray, speed: np.ndarray
    ) -> np.ndarray:
        """Gap of each driving agent to the nearest stop point it has to respect; infinity without one."""
        gap, signals, lights = np.full(len(drives), np.inf), self._roster.signals, self._scenario.lights
        if not len(signals.row):
            return gap
        frame = min(state.frame, lights.state.shape[1] - 1)
        closed = must_stop(lights.state[signals.light, frame])
        position = np.full(len(self._paths.count), -1)
        position[row] = np.arange(len(row))
        who = position[signals.row]
        use = closed & (who >= 0)
        who, at = who[use], signals.s[use]
        distance = at - s[who] - self._half[drives[who], 0]
        # The model halts min_gap before an obstacle; a stop line wants to be approached closer than that.
        extra = self._params.min_gap - STOP_BEFORE_LINE
        np.minimum.at(gap, who, stop_gap(distance, speed[who]) + extra)
        return gap

    def _place_is_free(
        self, state: SimState, arriving: np.ndarray, pose: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        """Whether the boxes of arriving agents touch nobody who is already there."""
        vehicle, size = self._scenario.vehicle, self._log.size
        there = present.copy()
        there[arriving] = False
        others = np.flatnonzero(there)
        centre = se2.shift_forward(state.ego[:3], vehicle.rear_axle_to_center)
        taken = np.concatenate(
            [
                boxes.corners(pose[others], size[others, 0], size[others, 1]),
                boxes.corners(centre, vehicle.length, vehicle.width)[None],
            ]
        )
        own = boxes.corners(
            pose[arriving], size[arriving, 0] + 2 * SPAWN_MARGIN, size[arriving, 1] + 0.5 * SPAWN_MARGIN
        )
        return ~boxes.overlap(own[:, None], taken[None]).any(axis=1)
