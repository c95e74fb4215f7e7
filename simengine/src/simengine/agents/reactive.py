"""Traffic that reacts: vehicles are driven, people on foot or bicycles stop for them, others stand or replay."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simengine.agents.arrivals import Arrivals
from simengine.agents.crowd import Crowd
from simengine.agents.driving import locate
from simengine.agents.paths import PathSet
from simengine.agents.replay import Forecast, logged_frame, logged_future
from simengine.agents.roster import Role, Roster
from simengine.agents.walkers import AS_LOGGED, Vehicles, walk, walk_on
from simengine.datatypes.agents import AgentType
from simengine.datatypes.state import AgentFrame, SimState
from simengine.scenario.scenario import Scenario


class Drivers(Protocol):
    """Those at the wheels; a pure function of the state."""

    def move(self, state: SimState, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return poses (D, 3) and velocities (D, 2) of agents `who` (D,) one frame after `state`."""
        ...


class ReactiveTraffic:
    """See `replay.TrafficModel`.

    Args:
        scenario: the scenario at the simulation rate.
        roster: who does what along which path.
        paths: the paths of the roster.
        drivers: how those drive whose role it is.
    """

    def __init__(self, scenario: Scenario, roster: Roster, paths: PathSet, drivers: Drivers) -> None:
        self._scenario, self._log = scenario, scenario.agents
        self._roster, self._paths, self._drivers = roster, paths, drivers
        self._arrivals = Arrivals(scenario, roster, paths)
        self._crowd = Crowd(scenario, roster)
        self._bold = np.zeros(self._log.num_agents, bool) if roster.bold is None else roster.bold

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
            pose[drives], velocity[drives] = self._drivers.move(state, drives)
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
            s, _ = locate(self._paths.flat, row, state.agents.pose[drives])
            speed = np.hypot(state.agents.velocity[drives, 0], state.agents.velocity[drives, 1])
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
            self._crowd.half,
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
        obstacles, owner = self._crowd.rows(state, index)
        frame = min(state.frame, log.num_frames - 1)
        off = np.hypot(*(agents.pose[index, :2] - log.pose[index, frame, :2]).T)
        ego_off = np.hypot(*(state.ego[:2] - scenario.ego.pose[frame, :2]))
        as_logged = np.append((off < AS_LOGGED) & log.valid[index, frame], ego_off < AS_LOGGED)
        return Vehicles(obstacles[:, :5], obstacles[:, 5:7], owner, as_logged)
