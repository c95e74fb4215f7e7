"""Drivers who follow their paths by the intelligent driver model, stop, yield and give way."""

from __future__ import annotations

import numpy as np

from simengine.agents.crowd import Crowd
from simengine.agents.driving import Scene, decide, locate, move
from simengine.agents.idm import IdmParams
from simengine.agents.lead import with_direction
from simengine.agents.paths import PathSet
from simengine.agents.right_of_way import NO_RIGHT_OF_WAY
from simengine.agents.roster import Roster
from simengine.agents.waits import closed_places
from simengine.agents.yielding import flat_rules
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import SimState
from simengine.scenario.scenario import Scenario

PREDICTION_TIMES = np.array([0.5, 1.0, 1.5, 2.0])


class IdmDrivers:
    """See `reactive.Drivers`.

    Args:
        scenario: the scenario at the simulation rate.
        roster: who drives along which path.
        paths: the paths of the roster.
        params: how to accelerate and brake.
    """

    def __init__(
        self, scenario: Scenario, roster: Roster, paths: PathSet, params: IdmParams | None = None
    ) -> None:
        self._scenario, self._roster, self._paths = scenario, roster, paths
        self._idm = (params or IdmParams()).as_array()
        self._crowd = Crowd(scenario, roster)
        self._ruled = roster.right_of_way is not None
        self._rules = flat_rules(roster.right_of_way or NO_RIGHT_OF_WAY)

    def move(self, state: SimState, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """See `reactive.Drivers.move`."""
        row = self._roster.path_row[who]
        s, offset = locate(self._paths.flat, row, state.agents.pose[who])
        speed = np.hypot(state.agents.velocity[who, 0], state.agents.velocity[who, 1])
        scene = self.scene(state, who, s, speed)
        accel = decide(self._paths.flat, scene, self._rules, self._ruled, self._idm, s, speed)
        return move(self._paths.flat, row, s, offset, speed, accel, self._scenario.dt)

    def scene(self, state: SimState, who: np.ndarray, s: np.ndarray, speed: np.ndarray) -> Scene:
        """Return what drivers `who` (D,) at arc lengths `s` (D,) with `speed` (D,) have to do with."""
        rows, owner = self._crowd.rows(state, np.flatnonzero(state.agents.present))
        place = np.full(len(self._crowd.half) + 1, -1)
        place[owner] = np.arange(len(owner))
        roster, row = self._roster, self._roster.path_row[who]
        return Scene(
            rows,
            with_direction(self._predict(state, rows, place[who], row, s, speed)),
            PREDICTION_TIMES,
            owner,
            place[who],
            row,
            roster.ignore,
            roster.ego_row,
            *closed_places(
                roster.signals, roster.waits, self._scenario.lights, state.frame, self._scenario.dt
            ),
            roster.signs.row,
            roster.signs.s,
        )

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
