"""PDM-Closed: fifteen proposals are unrolled, simulated and scored against a forecast; the best one is the plan.

Source: NAVSIM v1.1. It is a function: nothing is remembered from one call to the next.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from simengine.dynamics.simulate import simulate
from simengine.geometry.se2 import shift_forward
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.metrics.pdm.scorer import PdmBatch, PdmScene, score_batch
from simengine.pdm_closed.centerline import route_line, starting_lane
from simengine.pdm_closed.emergency_brake import emergency_poses
from simengine.pdm_closed.forecast import Forecast, forecast
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.leads import candidates_on, obstacles_of, occupancy
from simengine.pdm_closed.parameters import NAVSIM_PDM_CLOSED, PdmClosedParameters
from simengine.pdm_closed.path import drive_path
from simengine.pdm_closed.route_correction import correct_route
from simengine.pdm_closed.unroll import Unrolled, rules_of, start_unrolling, unroll


@dataclass(frozen=True)
class Guidance:
    """Where to drive.

    Attributes:
        route_lanes: ids of the lanes of the corrected route.
        centerline: (N, 3) x, y [m], heading [rad] from the starting lane to the end of the route.
        speed_limit: of the starting lane [m/s], NaN if unknown.
        red_lights: surfaces of the lanes of the route that show red.
    """

    route_lanes: tuple[str, ...]
    centerline: np.ndarray
    speed_limit: float
    red_lights: tuple[shapely.Geometry, ...]


@dataclass(frozen=True)
class PdmClosedResult:
    """What PDM-Closed planned, and how it came to it; B proposals.

    Attributes:
        poses: (51, 3) planned rear axle in world, the ego projected on the path first; straight on the path.
        states: (41, 11) what a car that tracks them would do, from the present state.
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
    guidance = find_guidance(given)
    centre = shift_forward(given.ego[:3], given.vehicle.rear_axle_to_center)
    expected = forecast(
        given.agents, guidance.red_lights, np.append(centre, [given.vehicle.length, given.vehicle.width])
    )
    made = make_proposals(given, guidance, expected, parameters)
    scored = parameters.proposal_steps + 1
    proposals = np.concatenate([path.poses[:, :scored] for path in made])
    simulated = simulate(given.ego, proposals, given.vehicle, parameters.dt)
    batch = score_batch(simulated, _scene(given, guidance, expected, parameters))
    best = int(np.argmax(batch.score))
    poses, states = np.concatenate([path.poses for path in made])[best], simulated[best]
    brake = emergency_poses(given.ego, given.vehicle, float(batch.collisions.first_frame[best]), parameters)
    if brake is not None:
        poses, states = brake, simulate(given.ego, brake[None, :scored], given.vehicle, parameters.dt)[0]
    return PdmClosedResult(
        poses,
        states,
        best,
        batch,
        guidance,
        np.concatenate([path.idm[:, :scored] for path in made]),
        np.concatenate([path.lead[:, :scored] for path in made]),
        proposals,
        simulated,
        brake is not None,
    )


def find_guidance(given: PdmClosedInput) -> Guidance:
    """Return where to drive: the corrected route and its centre line from where the ego is."""
    blocks = correct_route(given.roads, given.route, given.ego[:3])
    lanes = given.roads.lanes_of(blocks)
    start = starting_lane(lanes, given.ego[:3], given.vehicle)
    return Guidance(
        tuple(lanes),
        route_line(given.roads, blocks, lanes, start),
        start.speed_limit,
        tuple(lanes[i].polygon for i in given.red_lanes if i in lanes),
    )


def make_proposals(
    given: PdmClosedInput, guidance: Guidance, expected: Forecast, parameters: PdmClosedParameters
) -> list[Unrolled]:
    """Return the proposals of each path, all target speeds of a path together."""
    limit = parameters.fallback_speed if np.isnan(guidance.speed_limit) else guidance.speed_limit
    targets = limit * np.array(parameters.speed_fractions)
    reach = targets.max() * parameters.trajectory_steps * parameters.dt
    frames = parameters.trajectory_steps + 1
    times = np.arange(0, frames, parameters.refresh_every) * parameters.dt
    rules = rules_of(parameters, given.vehicle)
    obstacles, trees = obstacles_of(expected), occupancy(expected, times)
    made = []
    for offset in parameters.offsets:
        path = drive_path(guidance.centerline, offset)
        proposals = start_unrolling(path, given.ego, len(targets), frames)
        start = float(proposals.idm[0, 0, 0])
        corridor = path.corridor(start, start + reach, 0.5 * given.vehicle.width)
        candidates = candidates_on(path, corridor, trees, expected.ignored)
        unroll(proposals, targets, path, obstacles, candidates, rules, 1, parameters.proposal_steps)
        # Beyond the scored part each proposal goes on by itself, as only the chosen one does in the reference.
        for row in range(len(targets)):
            alone = proposals.select(row)
            unroll(
                alone,
                targets[row : row + 1],
                path,
                obstacles,
                candidates,
                rules,
                parameters.proposal_steps + 1,
                frames - 1,
            )
        made.append(proposals)
    return made


def _scene(
    given: PdmClosedInput, guidance: Guidance, expected: Forecast, parameters: PdmClosedParameters
) -> PdmScene:
    scoring = parameters.scoring
    centre = shift_forward(given.ego[:3], given.vehicle.rear_axle_to_center)[:2]
    return PdmScene(
        given.vehicle,
        expected.observation(parameters.trajectory_steps + 1, parameters.dt, parameters.refresh_every),
        drivable_map(given.roads.vector_map, centre, scoring.map_radius),
        frozenset(guidance.route_lanes),
        guidance.centerline,
        parameters.dt,
        scoring,
    )
