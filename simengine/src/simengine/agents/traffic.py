"""What the other road users do: replay the log, or react by the intelligent driver model.

A traffic model is a pure function of the state: every agent decides from the same frame, so the result
does not depend on the order of agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simengine.agents.arrivals import Arrivals
from simengine.agents.driving import Scene, decide, locate, move
from simengine.agents.idm import IdmParams
from simengine.agents.lead import with_direction
from simengine.agents.paths import PathSet
from simengine.agents.right_of_way import NO_RIGHT_OF_WAY
from simengine.agents.roster import Role, Roster, make_roster
from simengine.agents.signals import must_stop
from simengine.agents.walkers import AS_LOGGED, Vehicles, walk, walk_on
from simengine.agents.yielding import flat_rules
from simengine.datatypes.agents import STATIC_TYPES, AgentTracks, AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import AgentFrame, SimState
from simengine.geometry import se2
from simengine.scenario.scenario import Scenario

MOVER_MARGIN = 0.25
PREDICTION_TIMES = np.array([0.5, 1.0, 1.5, 2.0])


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
        seed: decides which way vehicles go at forks beyond their log, if the roster is read off.
    """

    def __init__(
        self,
        scenario: Scenario,
        params: IdmParams | None = None,
        roster: Roster | None = None,
        seed: int = 0,
    ) -> None:
        self._idm = (params or IdmParams()).as_array()
        self._scenario, self._log = scenario, scenario.agents
        self._roster = roster if roster is not None else make_roster(scenario, seed)
        self._paths = PathSet.pack(self._roster.paths)
        self._ruled = self._roster.right_of_way is not None
        self._rules = flat_rules(self._roster.right_of_way or NO_RIGHT_OF_WAY)
        self._arrivals = Arrivals(scenario, self._roster, self._paths)
        self._half = 0.5 * self._log.size[:, :2]
        bold, types = self._roster.bold, self._log.types
        self._bold = np.zeros(self._log.num_agents, bool) if bold is None else bold
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
        if self._roster.gone is not None:
            stands &= state.frame + 1 < self._roster.gone
        pose[stands], velocity[stands], next_present[stands] = state.agents.pose[stands], 0.0, True
        drives = np.flatnonzero(present & (role == Role.DRIVE))
        if len(drives):
            pose[drives], velocity[drives] = self._drive(state, drives)
            next_present[drives] = True
        self._walk(state, pose, velocity, next_present)
        arriving = np.flatnonzero(logged & ~present & (role != Role.REPLAY))
        if len(arriving):
            after = AgentFrame(pose, velocity, next_present)
            next_present[arriving] = self._arrivals.allowed(arriving, after, state.ego)
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
        walks = self._roster.walks
        who = np.flatnonzero(present & walks) if walks is not None else ()
        if len(who):
            at, shown[who] = walk_on(
                self._log.pose, self._log.valid, state.frame, who, state.agents.pose[who], steps
            )
            delayed = (at != pose[who]).any(axis=(1, 2))
            pose[who] = at
            velocity[who[delayed], 1:] = np.diff(at[delayed, :, :2], axis=1) / self._scenario.dt
            velocity[who[delayed], 0] = state.agents.velocity[who[delayed]]
        drives = np.flatnonzero(present & (role == Role.DRIVE))
        if len(drives):
            row = self._roster.path_row[drives]
            s, _, speed = self._along(state, drives, row)
            at = s[:, None] + speed[:, None] * self._scenario.dt * np.arange(steps + 1)
            flat = self._paths.pose(np.repeat(row, steps + 1), at.ravel()).reshape(len(drives), steps + 1, 3)
            pose[drives] = flat
            velocity[drives] = speed[:, None, None] * np.stack(
                [np.cos(flat[..., 2]), np.sin(flat[..., 2])], -1
            )
        return Forecast(pose, velocity, shown)

    def _walk(self, state: SimState, pose: np.ndarray, velocity: np.ndarray, present: np.ndarray) -> None:
        """Write those into the next frame who walk or ride and are not where their log has them."""
        walks = self._roster.walks
        who = np.flatnonzero(state.agents.present & walks) if walks is not None else ()
        if not len(who):
            return
        here, log = state.agents, self._log
        speed = np.hypot(here.velocity[who, 0], here.velocity[who, 1])
        at, moving, there, moment = walk(
            log.pose,
            log.valid,
            state.frame,
            self._scenario.dt,
            who,
            here.pose[who],
            speed,
            self._half,
            self._bold,
            self._vehicles(state),
            self._roster.ignore,
        )
        own = moment != state.frame + 1
        pose[who[own]], velocity[who[own]], present[who[own]] = at[own], moving[own], there[own]

    def _vehicles(self, state: SimState) -> Vehicles:
        """The vehicles and the ego as walkers see them."""
        agents, log, scenario = state.agents, self._log, self._scenario
        index = np.flatnonzero(agents.present & (log.types == AgentType.VEHICLE))
        obstacles, owner = self._obstacles(state, index)
        frame = min(state.frame, log.num_frames - 1)
        off = np.hypot(*(agents.pose[index, :2] - log.pose[index, frame, :2]).T)
        ego_off = np.hypot(*(state.ego[:2] - scenario.ego.pose[frame, :2]))
        as_logged = np.append((off < AS_LOGGED) & log.valid[index, frame], ego_off < AS_LOGGED)
        return Vehicles(obstacles[:, :5], obstacles[:, 5:7], owner, as_logged)

    def _along(
        self, state: SimState, drives: np.ndarray, row: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Arc length, offset from the path and speed of the driving agents."""
        velocity = state.agents.velocity[drives]
        s, offset = locate(self._paths.flat, row, state.agents.pose[drives])
        return s, offset, np.hypot(velocity[:, 0], velocity[:, 1])

    def _drive(self, state: SimState, drives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Poses and velocities of the driving agents one frame after `state`."""
        row = self._roster.path_row[drives]
        s, offset, speed = self._along(state, drives, row)
        scene = self._scene(state, drives, row, s, speed)
        accel = decide(self._paths.flat, scene, self._rules, self._ruled, self._idm, s, speed)
        return move(self._paths.flat, row, s, offset, speed, accel, self._scenario.dt)

    def _scene(
        self, state: SimState, drives: np.ndarray, row: np.ndarray, s: np.ndarray, speed: np.ndarray
    ) -> Scene:
        obstacles, owner = self._obstacles(state, np.flatnonzero(state.agents.present))
        place = np.full(self._log.num_agents + 1, -1)
        place[owner] = np.arange(len(owner))
        roster, lights = self._roster, self._scenario.lights
        closed = must_stop(lights.state[roster.signals.light, min(state.frame, lights.state.shape[1] - 1)])
        waiting = state.frame * self._scenario.dt < roster.waits.until
        return Scene(
            obstacles,
            with_direction(self._predict(state, obstacles, place[drives], row, s, speed)),
            PREDICTION_TIMES,
            owner,
            place[drives],
            row,
            roster.ignore,
            roster.ego_row,
            np.concatenate([roster.signals.row[closed], roster.waits.row[waiting]]),
            np.concatenate([roster.signals.s[closed], roster.waits.s[waiting]]),
            roster.signs.row,
            roster.signs.s,
        )

    def _obstacles(self, state: SimState, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Obstacle rows (K, 9) of the agents `present` and of the ego, and whose they are (ego: A)."""
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
        drivers: np.ndarray,
        row: np.ndarray,
        s: np.ndarray,
        speed: np.ndarray,
    ) -> np.ndarray:
        """Poses (K, M, 3) of the obstacles at `PREDICTION_TIMES`: drivers stay on their paths.

        The ego keeps its yaw rate; everyone else goes straight on.
        """
        count = len(PREDICTION_TIMES)
        later = np.repeat(obstacles[:, None, :3], count, axis=1)
        later[:, :, :2] += obstacles[:, None, 5:7] * PREDICTION_TIMES[:, None]
        if not self._ruled:
            at = (s[:, None] + speed[:, None] * PREDICTION_TIMES).ravel()
            later[drivers] = self._paths.pose(np.repeat(row, count), at).reshape(len(drivers), count, 3)
        turned = state.ego[StateIndex.ANGULAR_VELOCITY] * PREDICTION_TIMES
        heading = state.ego[2] + 0.5 * turned
        travelled = state.ego[StateIndex.VELOCITY_X] * PREDICTION_TIMES
        later[-1, :, 0] = obstacles[-1, 0] + travelled * np.cos(heading)
        later[-1, :, 1] = obstacles[-1, 1] + travelled * np.sin(heading)
        later[-1, :, 2] = state.ego[2] + turned
        return later
