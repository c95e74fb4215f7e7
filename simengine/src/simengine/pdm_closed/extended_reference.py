"""PDM-Closed as NAVSIM v2 has it: the same proposals, chosen by the extended score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely

from simengine.dynamics.proposals import sample_poses, times_us
from simengine.dynamics.simulate import simulate
from simengine.geometry.se2 import shift_forward
from simengine.metrics.epdms.lights import RedLights
from simengine.metrics.epdms.parameters import EpdmsParameters, epdms_parameters_of
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.epdms.scorer import epdms_batch
from simengine.metrics.pdm.from_scenario import Reference
from simengine.metrics.pdm.map_areas import drivable_map
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.scene import PdmScene
from simengine.pdm_closed.forecast import Forecast, forecast
from simengine.pdm_closed.guidance import Guidance, find_guidance
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.parameters import reference_parameters
from simengine.pdm_closed.planner import tracker_rules
from simengine.pdm_closed.proposals import make_proposals
from simengine.pdm_closed.reference import SOURCE
from simengine.scenario.scenario import Scenario


def extended_reference(scenario: Scenario, frame: int, scoring: PdmParameters) -> Reference:
    """Return the drive of the PDM-Closed that measures progress in a mode of the extended score.

    Args:
        scenario: map, route, log.
        frame: where to start.
        scoring: the part of the mode that it shares with the PDM score.

    Raises:
        MapQueryError: the map has no lane of the route.
    """
    given = PdmClosedInput.from_scenario(scenario, frame)
    poses, guidance = chosen_poses(given, epdms_parameters_of(scoring.mode))
    dt, time = reference_parameters(scoring).dt, int(scenario.timestamps_us[frame])
    knots = time + np.round(1e6 * dt * np.arange(len(poses))).astype(np.int64)
    steps = reference_parameters(scoring).proposal_steps
    sampled = sample_poses(knots, poses[None], times_us(time, dt * np.arange(steps + 1)))
    states = simulate(given.ego, sampled, given.vehicle, dt, rules=tracker_rules(scoring))[0]
    return Reference(states, guidance.centerline, frozenset(guidance.route_lanes), SOURCE)


def chosen_poses(given: PdmClosedInput, scoring: EpdmsParameters) -> tuple[np.ndarray, Guidance]:
    """Return the planned poses (51, 3) and where they lead; the first proposal with the best score is chosen."""
    parameters = reference_parameters(scoring.pdm)
    centre = shift_forward(given.ego[:3], given.vehicle.rear_axle_to_center)
    guidance = find_guidance(given)
    box = np.append(centre, [given.vehicle.length, given.vehicle.width])
    expected = forecast(given.agents, guidance.red_lights, box)
    made = make_proposals(given, guidance, expected, parameters)
    rules = tracker_rules(scoring.pdm)
    states = simulate(given.ego, made.stacked("poses"), given.vehicle, parameters.dt, rules=rules)
    batch = epdms_batch(states, _scene(given, centre, guidance, expected, scoring), threads=1)
    return made.trajectory(int(np.argmax(batch.score))), guidance


def _scene(
    given: PdmClosedInput,
    centre: np.ndarray,
    guidance: Guidance,
    expected: Forecast,
    scoring: EpdmsParameters,
) -> EpdmsScene:
    """Return the forecast as a scene: lights stay red, there is no past, nothing is seen after the last state."""
    parameters = reference_parameters(scoring.pdm)
    frames, choice = parameters.proposal_steps + 1, parameters.choice
    pdm = PdmScene(
        given.vehicle,
        expected.observation(frames, parameters.dt, parameters.refresh_every),
        drivable_map(given.roads.vector_map, centre[:2], choice.map_radius),
        frozenset(guidance.route_lanes),
        guidance.centerline,
        parameters.dt,
        choice,
    )
    parts = [part for surface in guidance.red_lights for part in shapely.get_parts(surface)]
    rings = [shapely.get_coordinates(shapely.get_exterior_ring(part))[:-1] for part in parts]
    ids = tuple(f"red_{k}" for k in range(len(rings)))
    lights = RedLights(ids, tuple(rings), np.ones((len(ids), frames), bool))
    return EpdmsScene(pdm, lights, parameters=replace(scoring, pdm=choice))
