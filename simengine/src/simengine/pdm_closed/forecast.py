"""What PDM-Closed expects of the others: everybody goes on at constant speed and heading.

Source: `PDMObservation` of NAVSIM v1.1. Nothing but the present frame is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely

from simengine.datatypes.agents import STATIC_TYPES, AgentStates, AgentTracks, AgentType
from simengine.geometry import boxes
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import shift_forward
from simengine.metrics.pdm.observation import TrackObservation, observation_from_tracks

RADIUS = 100.0
NEAREST = ((AgentType.VEHICLE, 50), (AgentType.PEDESTRIAN, 25), (AgentType.CYCLIST, 10))
NEAREST_STATIC = 50


@dataclass(frozen=True)
class Forecast:
    """Obstacles that move straight on: boxes of agents, then red lights.

    Attributes:
        agents: the A boxes at present.
        drift: (A, 2) how a box moves in world [m/s], along its heading or against it.
        red_lights: (R,) polygons that stand.
        ignored: (A + R,) which of them the ego already touches; they are no obstacles any more.
    """

    agents: AgentStates
    drift: np.ndarray
    red_lights: np.ndarray
    ignored: np.ndarray

    @cached_property
    def corners(self) -> np.ndarray:
        """Corners (A, 4, 2) of the boxes at present."""
        return boxes.corners(self.agents.pose, self.agents.size[:, 0], self.agents.size[:, 1])

    def polygons(self, times: np.ndarray) -> np.ndarray:
        """Return the surfaces (F, A + R) of all obstacles at `times` (F,) [s]."""
        moved = self.corners + times[:, None, None, None] * self.drift[:, None]
        return np.concatenate(
            [shapely.polygons(moved), np.broadcast_to(self.red_lights, (len(times), len(self.red_lights)))],
            axis=1,
        )

    def observation(self, num_frames: int, dt: float, every: int) -> TrackObservation:
        """Return the boxes over `num_frames` frames `dt` [s] apart, as the scorer meets them.

        Boxes move only at every `every`-th frame. Red lights are no obstacles to the scorer.
        """
        agents, count = self.agents, len(self.agents.ids)
        time = every * dt * (np.arange(num_frames) // every)
        pose = np.repeat(agents.pose[:, None], num_frames, axis=1)
        pose[..., :2] += time[:, None] * self.drift[:, None]
        velocity = np.repeat(agents.velocity[:, None], num_frames, axis=1)
        valid = np.repeat(~self.ignored[:count, None], num_frames, axis=1)
        return observation_from_tracks(
            AgentTracks(agents.ids, agents.types, pose, velocity, agents.size, valid)
        )


def forecast(agents: AgentStates, red_lights: Sequence[shapely.Geometry], ego_box: np.ndarray) -> Forecast:
    """Return the forecast around an ego.

    Args:
        agents: everyone at present.
        red_lights: surfaces of the lanes that show red.
        ego_box: (5,) centre x, y [m], yaw [rad], length, width [m] of the ego.
    """
    chosen = _select(agents, _nearest(agents, ego_box[:2]))
    footprint = boxes.corners(ego_box[:3], ego_box[3], ego_box[4])
    touched = boxes.overlap(footprint, boxes.corners(chosen.pose, chosen.size[:, 0], chosen.size[:, 1]))
    # An ego that has passed the line altogether is not held up by its light any more.
    passed = shapely.within(shapely.Polygon(footprint), np.array(red_lights, dtype=object))
    return Forecast(
        chosen, _drift(chosen), np.array(red_lights, dtype=object), np.concatenate([touched, passed])
    )


def is_static(agents: AgentStates) -> np.ndarray:
    """Return which agents (A,) are of a class that never moves."""
    return np.isin(agents.types, STATIC_TYPES)


def _nearest(agents: AgentStates, centre: np.ndarray) -> np.ndarray:
    gap = np.hypot(agents.pose[:, 0] - centre[0], agents.pose[:, 1] - centre[1])
    order = np.argsort(gap, kind="stable")
    order = order[gap[order] <= RADIUS]
    groups = [order[agents.types[order] == kind][:limit] for kind, limit in NEAREST]
    return np.concatenate([*groups, order[is_static(agents)[order]][:NEAREST_STATIC]])


def _select(agents: AgentStates, index: np.ndarray) -> AgentStates:
    return AgentStates(
        tuple(agents.ids[i] for i in index),
        agents.types[index],
        agents.pose[index],
        agents.velocity[index],
        agents.size[index],
    )


def _drift(agents: AgentStates) -> np.ndarray:
    speed = np.hypot(agents.velocity[:, 0], agents.velocity[:, 1])
    course = np.arctan2(agents.velocity[:, 1], agents.velocity[:, 0])
    forward = np.abs(wrap(agents.pose[:, 2] - course)) < 0.5 * np.pi
    speed = np.where(is_static(agents), 0.0, np.where(forward, speed, -speed))
    start = np.zeros((len(speed), 3))
    start[:, 2] = agents.pose[:, 2]
    return shift_forward(start, speed)[:, :2]
