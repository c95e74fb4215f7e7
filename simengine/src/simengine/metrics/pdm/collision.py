"""No at-fault collision (NC): 1, 0.5 after hitting an object, 0 after hitting a road user."""

from __future__ import annotations

import numpy as np
import shapely

from simengine.datatypes.ego import StateIndex
from simengine.metrics.pdm.contact import Violations, angle_to, first_violations, touching
from simengine.metrics.pdm.ego_areas import EgoAreas
from simengine.metrics.pdm.observation import TrackObservation
from simengine.metrics.pdm.parameters import PdmParameters


def no_at_fault_collisions(
    states: np.ndarray,
    ego_corners: np.ndarray,
    observation: TrackObservation,
    areas: EgoAreas,
    parameters: PdmParameters,
) -> tuple[np.ndarray, Violations]:
    """Return NC (P,) and the at-fault collisions.

    A contact is the ego's fault if it moves and runs into a standing track or with its front edge into
    any track, or touches one from the side while it straddles lanes or leaves the road.

    Args:
        states: (P, S, 11) rear-axle states; state s meets track frame s.
        ego_corners: (P, S, 4, 2) ego rectangles.
        observation: the tracks.
        areas: area flags of the same states.
        parameters: thresholds.
    """
    num_proposals, num_states = states.shape[:2]
    shape = (num_proposals, len(observation.ids))
    p, s, a = touching(ego_corners, observation, np.arange(num_states))
    at = states[p, s]
    moving = np.hypot(at[:, StateIndex.VELOCITY_X], at[:, StateIndex.VELOCITY_Y]) > parameters.stopped_speed
    standing = (observation.is_static | (observation.first_speed <= parameters.stopped_speed))[a]
    behind = angle_to(at, observation.pose[a, s, :2]) > np.deg2rad(parameters.behind_angle_deg)
    if len(p):
        front = shapely.intersects(
            shapely.linestrings(ego_corners[p, s][:, [0, 3]]), observation.polygons[a, s]
        )
    else:
        front = np.zeros(0, bool)
    exposed = areas.multiple_lanes[p, s] | areas.non_drivable[p, s]
    at_fault = moving & (standing | (~behind & (front | exposed)))
    found = first_violations(proposal=p, order=s, frame=s, track=a, bad=at_fault, shape=shape)
    cost = np.where(observation.is_static, 0.5, 0.0)
    score = np.where(found.counted, cost, 1.0).min(axis=1, initial=1.0)
    return score, found
