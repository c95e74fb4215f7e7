"""Where a driver has to stop on his way: closed lights and stop signs."""

from __future__ import annotations

import numpy as np

from simengine.agents.paths import Path
from simengine.agents.signals import STOP_BEFORE_LINE, must_stop, stop_distance, stop_gap
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.map import AreaKind
from simengine.datatypes.state import SimState
from simengine.geometry import polyline
from simengine.scenario.scenario import Scenario

SIGN = "stop_sign"
LATERAL_REACH = 1.5
# Who was slower than this so close before the line has stopped.
STOPPED_SPEED = 0.5
STOPPED_REACH = 5.0


class Stops:
    """Lights and stop signs along a line.

    Args:
        scenario: gives map and lights.
        reference: the line as a path of the rear axle.
    """

    def __init__(self, scenario: Scenario, reference: Path) -> None:
        self._scenario, self._reference = scenario, reference
        self._front = scenario.vehicle.rear_axle_to_center + 0.5 * scenario.vehicle.length
        self._lights = self._find_lights()
        self._signs = self._find_signs()

    def gap(self, state: SimState, s: float) -> float:
        """Return how far the front bumper is from where it should halt [m], infinity if nowhere.

        Args:
            state: the present.
            s: arc length of the rear axle on the line [m].
        """
        frame = min(state.frame, self._scenario.lights.state.shape[1] - 1)
        closed = [at for row, at in self._lights if must_stop(self._scenario.lights.state[row, frame])]
        closed += [at for at in self._signs if not self._has_stopped(state, at)]
        speed = np.array(state.ego[StateIndex.VELOCITY_X])
        gaps = [float(stop_gap(np.array(at - s - self._front), speed)) for at in closed]
        return min(gaps, default=np.inf) - STOP_BEFORE_LINE

    def _has_stopped(self, state: SimState, line: float) -> bool:
        """Whether the ego has stood before a stop line at arc length `line`."""
        slow = state.ego_trail[state.ego_trail[:, StateIndex.VELOCITY_X] < STOPPED_SPEED]
        if not len(slow):
            return False
        along, _ = polyline.project(self._reference.poses[:, :2], slow[:, :2])
        before = line - (along + self._front)
        return bool(((before > -1.0) & (before < STOPPED_REACH)).any())

    def _find_lights(self) -> list[tuple[int, float]]:
        """Row and arc length of each light."""
        scenario, found = self._scenario, []
        for row, lane_id in enumerate(scenario.lights.lane_ids):
            lane = scenario.map.lanes.get(lane_id)
            if lane is None or len(lane.centerline) < 2:
                continue
            s = stop_distance(self._reference, lane.centerline, scenario.lights.stop_point[row])
            if s is not None:
                found.append((row, s))
        return found

    def _find_signs(self) -> list[float]:
        """Arc lengths of the stop signs."""
        areas = [area for area in self._scenario.map.areas_of(AreaKind.STOP_LINE) if area.id.startswith(SIGN)]
        if not areas:
            return []
        middle = np.array([area.polygon[:, :2].mean(axis=0) for area in areas])
        s, offset = polyline.project(self._reference.poses[:, :2], middle)
        return [float(at) for at in s[(np.abs(offset) < LATERAL_REACH) & (s > 0.0)]]
