"""PDM-Closed: fifteen proposals are unrolled, simulated and scored against a forecast; the best one is the plan.

Source: NAVSIM v1.1. It is a function: nothing is remembered from one call to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.dynamics.rules import TrackerRules
from simengine.dynamics.simulate import simulate
from simengine.geometry.se2 import shift_forward
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.scene import PdmScene
from simengine.metrics.pdm.scorer import PdmBatch, score_batch
from simengine.pdm_closed.emergency_brake import emergency_poses
from simengine.pdm_closed.forecast import Forecast, forecast
from simengine.pdm_closed.guidance import Guidance, find_guidance
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.parameters import NAVSIM_PDM_CLOSED, PdmClosedParameters
from simengine.pdm_closed.proposals import make_proposals


@dataclass(frozen=True)
class PdmClosedResult:
    """What PDM-Closed planned, and how it came to it; B proposals.

    Attributes:
        poses: (51, 3) planned rear axle in world, on the path; the first is the ego projected on it.
        states: (41, 11) what a car would do that tracks them from its present state.
        best: index of the chosen proposal.
        batch: sub-scores of all proposals.
        guidance: centre line and route.
        idm: (B, 41, 2) arc length [m] and speed [m/s] of each proposal on its path.
        lead: (B, 41, 3) arc length [m], speed [m/s] and rear length [m] of its leading object.
        proposals: (B, 41, 3) poses in world.
        simulated: (B, 41, 11) their simulated states.
        emergency: whether the emergency brake replaced the best proposal.
    """

    poses: np.ndarray
    states: np.ndarray
    best: int
    batch: PdmBatch
    guidance: Guidance
    idm: np.ndarray
    lead: np.ndarray
    proposals: np.ndarray
    simulated: np.ndarray
    emergency: bool = False


def plan_pdm_closed(
    given: PdmClosedInput, parameters: PdmClosedParameters = NAVSIM_PDM_CLOSED
) -> PdmClosedResult:
    """Return the plan of PDM-Closed at one instant.

    Args:
        given: what is known.
        parameters: how to drive and choose.
    """
    vehicle, rules = given.vehicle, tracker_rules(parameters.scoring)
    centre = shift_forward(given.ego[:3], vehicle.rear_axle_to_center)
    guidance = find_guidance(given)
    box = np.append(centre, [vehicle.length, vehicle.width])
    expected = forecast(given.agents, guidance.red_lights, box)
    made = make_proposals(given, guidance, expected, parameters)
    proposals = made.stacked("poses")
    simulated = simulate(given.ego, proposals, vehicle, parameters.dt, rules=rules)
    batch = score_batch(simulated, _scene(given, centre[:2], guidance, expected, parameters))
    best = int(np.argmax(batch.score))
    brake = emergency_poses(given.ego, vehicle, float(batch.collisions.first_frame[best]), parameters)
    if brake is None:
        poses, states = made.trajectory(best), simulated[best]
    else:
        poses = brake
        states = simulate(given.ego, brake[None, : made.steps + 1], vehicle, parameters.dt, rules=rules)[0]
    return PdmClosedResult(
        poses,
        states,
        best,
        batch,
        guidance,
        made.stacked("idm"),
        made.stacked("lead"),
        proposals,
        simulated,
        brake is not None,
    )


def tracker_rules(scoring: PdmParameters) -> TrackerRules:
    """Return how cars track their plans in a scoring mode."""
    return TrackerRules(scoring.jerk_penalty, scoring.steering_from_yaw_rate)


def _scene(
    given: PdmClosedInput,
    centre: np.ndarray,
    guidance: Guidance,
    expected: Forecast,
    parameters: PdmClosedParameters,
) -> PdmScene:
    choice = parameters.choice
    return PdmScene(
        given.vehicle,
        expected.observation(parameters.trajectory_steps + 1, parameters.dt, parameters.refresh_every),
        drivable_map(given.roads.vector_map, centre, choice.map_radius),
        frozenset(guidance.route_lanes),
        guidance.centerline,
        parameters.dt,
        choice,
    )
