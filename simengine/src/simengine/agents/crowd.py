"""Everybody around as boxes with velocities: what drivers and walkers see."""

from __future__ import annotations

import numpy as np

from simengine.agents.roster import Role, Roster
from simengine.datatypes.agents import STATIC_TYPES, AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.state import SimState
from simengine.geometry import se2
from simengine.scenario.scenario import Scenario

MOVER_MARGIN = 0.25


class Crowd:
    """Turns states into obstacle rows, see `lead.OBSTACLE_COLUMNS`."""

    def __init__(self, scenario: Scenario, roster: Roster) -> None:
        types = scenario.agents.types
        self._vehicle = scenario.vehicle
        self.half = 0.5 * scenario.agents.size[:, :2]
        self._margin = np.where(np.isin(types, STATIC_TYPES), 0.0, MOVER_MARGIN)
        self._margin[roster.role == Role.STAND] = 0.0
        self._yields = (types == AgentType.VEHICLE).astype(np.float64)

    def rows(self, state: SimState, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return obstacle rows (K, 9) of the agents `present` and, last, the ego, and whose they are (ego: A)."""
        vehicle, ego = self._vehicle, state.ego
        rows = np.empty((len(present) + 1, 9))
        rows[:-1, 0:3] = state.agents.pose[present]
        rows[:-1, 3:5] = self.half[present]
        rows[:-1, 5:7] = state.agents.velocity[present]
        rows[:-1, 7] = self._margin[present]
        rows[:-1, 8] = self._yields[present]
        speed = ego[StateIndex.VELOCITY_X]
        rows[-1, 0:3] = se2.shift_forward(ego[:3], vehicle.rear_axle_to_center)
        rows[-1, 3:5] = 0.5 * vehicle.length, 0.5 * vehicle.width
        rows[-1, 5:7] = speed * np.cos(ego[2]), speed * np.sin(ego[2])
        rows[-1, 7:9] = MOVER_MARGIN, 0.0
        return rows, np.append(present, len(self.half))
