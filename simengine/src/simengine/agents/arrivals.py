"""Whether there is room for a vehicle to appear where its log appears."""

from __future__ import annotations

import numpy as np

from simengine.agents.driving import locate
from simengine.agents.lead import leads
from simengine.agents.paths import PathSet
from simengine.agents.roster import Role, Roster
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import AgentFrame
from simengine.geometry import boxes, se2
from simengine.scenario.scenario import Scenario

MARGIN_ALONG = 0.5
MARGIN_ASIDE = 0.125
SPAWN_DECELERATION = 4.0
SPAWN_GAP = 1.0
REACH = 60.0


class Arrivals:
    """Lets vehicles appear only where nobody is, and where nobody has to brake hard for them nor they for anybody."""

    def __init__(self, scenario: Scenario, roster: Roster, paths: PathSet) -> None:
        self._scenario, self._roster, self._paths = scenario, roster, paths
        self._size = scenario.agents.size[:, :2]

    def allowed(self, arriving: np.ndarray, frame: AgentFrame, ego: np.ndarray) -> np.ndarray:
        """Return who (K,) of the agents `arriving` (K,) may appear.

        Args:
            arriving: indices of agents that are not there yet.
            frame: everybody one frame later, the arriving ones as their log has them.
            ego: (11,) state of the ego.
        """
        there = frame.present.copy()
        there[arriving] = False
        others = np.flatnonzero(there)
        vehicle = self._scenario.vehicle
        pose = np.concatenate(
            [frame.pose[others], se2.shift_forward(ego[None, :3], vehicle.rear_axle_to_center)]
        )
        size = np.concatenate([self._size[others], [[vehicle.length, vehicle.width]]])
        forward = ego[StateIndex.VELOCITY_X] * np.array([[np.cos(ego[2]), np.sin(ego[2])]])
        rows = np.zeros((len(pose), 9))
        rows[:, :3], rows[:, 3:5], rows[:, 8] = pose, 0.5 * size, 1.0
        rows[:, 5:7] = np.concatenate([frame.velocity[others], forward])
        owner = np.append(others, len(there))
        return np.array([self._fits(k, frame, rows, owner) for k in arriving], bool)

    def _fits(self, k: int, frame: AgentFrame, rows: np.ndarray, owner: np.ndarray) -> bool:
        near = np.hypot(*(rows[:, :2] - frame.pose[k, :2]).T) < REACH
        rows, owner = rows[near], owner[near]
        if not len(rows):
            return True
        length, width = self._size[k] + [2 * MARGIN_ALONG, 2 * MARGIN_ASIDE]
        taken = boxes.corners(rows[:, :3], 2 * rows[:, 3], 2 * rows[:, 4])
        if boxes.overlap(boxes.corners(frame.pose[k], length, width), taken).any():
            return False
        minded = ~self._roster.ignore[k, owner]
        rows, owner = rows[minded], owner[minded]
        own = np.concatenate([frame.pose[k], 0.5 * self._size[k], frame.velocity[k], [0.0, 1.0]])
        drivers = np.flatnonzero(self._roster.role[owner[owner < len(frame.present)]] == Role.DRIVE)
        if self._roster.role[k] == Role.DRIVE and not self._can_stop(np.array([k]), own[None], rows):
            return False
        return self._can_stop(owner[drivers], rows[drivers], own[None]) and _ego_can_stop(
            rows, owner, own, frame
        )

    def _can_stop(self, agents: np.ndarray, own: np.ndarray, obstacles: np.ndarray) -> bool:
        """Whether drivers `agents` (D,) with rows `own` (D, 9) can keep behind `obstacles` (K, 9) without emergency."""
        if not len(agents):
            return True
        row, speed = self._roster.path_row[agents], np.hypot(own[:, 5], own[:, 6])
        s, _ = locate(self._paths.flat, row, np.ascontiguousarray(own[:, :3]))
        count = len(obstacles)
        none = np.zeros((len(agents), count), np.bool_)
        gap, ahead, _ = leads(
            self._paths.flat,
            row,
            s,
            speed,
            np.ascontiguousarray(own[:, 3:5]),
            np.ascontiguousarray(obstacles),
            none,
            np.full(len(agents), REACH),
            np.zeros((count, 0, 5)),
            np.zeros(0),
            none,
        )
        return bool((gap >= _stopping_gap(speed, ahead)).all())


def _stopping_gap(speed: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    return SPAWN_GAP + np.maximum(speed**2 - ahead**2, 0.0) / (2.0 * SPAWN_DECELERATION)


def _ego_can_stop(rows: np.ndarray, owner: np.ndarray, own: np.ndarray, frame: AgentFrame) -> bool:
    """Whether the ego, if it is among `rows`, can keep behind a vehicle `own` (9,) straight ahead."""
    if not len(owner) or owner[-1] != len(frame.present):
        return True
    ego = rows[-1]
    x, y, yaw = se2.to_local(ego[:3], own[None, :3])[0]
    reach = own[3] * abs(np.cos(yaw)) + own[4] * abs(np.sin(yaw))
    aside = own[4] * abs(np.cos(yaw)) + own[3] * abs(np.sin(yaw))
    if x < 0.0 or abs(y) > ego[4] + aside:
        return True
    away = max(own[5] * np.cos(ego[2]) + own[6] * np.sin(ego[2]), 0.0)
    return bool(x - reach - ego[3] >= _stopping_gap(np.hypot(ego[5], ego[6]), np.float64(away)))
