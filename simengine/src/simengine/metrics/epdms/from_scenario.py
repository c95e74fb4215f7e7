"""From a scenario and the tracks around the ego to what the extended score is computed against."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ScenarioFormatError
from simengine.geometry import boxes
from simengine.geometry.se2 import shift_forward
from simengine.metrics.epdms.human_drive import human_drive
from simengine.metrics.epdms.parameters import epdms_parameters_of
from simengine.metrics.epdms.past import logged_past
from simengine.metrics.epdms.route_lights import lights_at, red_lights
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.pdm.from_scenario import Reference, logged_reference, scene_of
from simengine.metrics.pdm.map_areas import LANE_LAYERS
from simengine.metrics.pdm.scene import PdmScene
from simengine.scenario.scenario import Scenario


def epdms_scene(
    scenario: Scenario,
    tracks: AgentTracks,
    *,
    mode: str = "epdms",
    frame: int | None = None,
    num_states: int = 41,
    dt: float = 0.1,
    reference: Reference | None = None,
    lights: TrafficLights | None = None,
    human_filter: bool = True,
) -> EpdmsScene:
    """Return the scene of the states that start where the log is at `frame`.

    Tracks that overlap the ego there are left out, as NAVSIM does. Without a logged past history comfort is full;
    without a logged future up to the last state nobody is excused.

    Args:
        scenario: map, route, logged ego before and after the frame.
        tracks: what the ego met, at least `num_states` frames from the frame on, `dt` apart; those beyond are not
            used, because NAVSIM v2.2 does not look further either.
        mode: of the extended score.
        frame: of the scenario, by default that of the first decision.
        num_states: number of scored states S.
        dt: time between them [s].
        reference: gives the centre line of progress and lane keeping, and the lanes that are no wrong way; by default
            those of the route as given, or the logged path where there is none.
        lights: over the frames of `tracks`; left out, those of the scenario, each state holding until the next.
            Only lights on the scenario's route as given count.
        human_filter: whether the logged future excuses; not meant for synthetic scenarios.

    Raises:
        ScenarioFormatError: the tracks end too early.
    """
    parameters = epdms_parameters_of(mode)
    if tracks.num_frames < num_states:
        raise ScenarioFormatError(
            f"scenario {scenario.token}: tracks cover {tracks.num_frames} frames, expected at least {num_states}: "
            "simulate longer or score fewer states"
        )
    frame = scenario.initial_frame if frame is None else frame
    pose, times = scenario.ego.pose[frame], np.arange(num_states) * dt
    if reference is None:
        reference = logged_reference(scenario, frame, num_states, dt)
    shown = lights_at(scenario, frame, times) if lights is None else first_frames(lights, num_states)
    met = apart_from(tracks, pose, scenario.vehicle, num_states)
    pdm = scene_of(scenario, met, pose, reference, dt, parameters.pdm)
    red, missing = red_lights(scenario, shown)
    return EpdmsScene(
        pdm,
        red,
        logged_past(scenario, frame, dt, parameters),
        human_drive(scenario, frame, times, parameters) if human_filter else None,
        parameters,
        _unknown(scenario, pdm, missing),
    )


def first_frames(lights: TrafficLights, num_frames: int) -> TrafficLights:
    """Return the first frames of lights."""
    return TrafficLights(lights.lane_ids, lights.state[:, :num_frames], lights.stop_point)


def apart_from(tracks: AgentTracks, pose: np.ndarray, vehicle: VehicleParams, num_frames: int) -> AgentTracks:
    """Return the first frames of the tracks that do not touch the ego in frame 0.

    Args:
        tracks: over more frames than wanted.
        pose: (3,) rear axle of the ego in frame 0.
        vehicle: dimensions of the ego.
        num_frames: how many frames to keep.
    """
    ego = boxes.corners(shift_forward(pose, vehicle.rear_axle_to_center), vehicle.length, vehicle.width)
    others = boxes.corners(tracks.pose[:, 0], tracks.size[:, 0], tracks.size[:, 1])
    kept = tracks.select(~(boxes.overlap(ego[None], others) & tracks.valid[:, 0]))
    pose, velocity, valid = (x[:, :num_frames] for x in (kept.pose, kept.velocity, kept.valid))
    return AgentTracks(kept.ids, kept.types, pose, velocity, kept.size, valid)


def _unknown(scenario: Scenario, pdm: PdmScene, no_lights: str) -> dict[str, str]:
    reasons = {"traffic_light_compliance": no_lights} if no_lights else {}
    nothing = "the scenario has no map" if scenario.map.is_empty else ""
    no_route = nothing or "the scenario has no usable route"
    if not pdm.drivable.has(*pdm.drivable.drivable_layers):
        reasons["drivable_area_compliance"] = nothing or "the map has no drivable area near the ego"
    if not pdm.drivable.has(*LANE_LAYERS):
        reasons["driving_direction_compliance"] = nothing or "the map has no lane polygons near the ego"
    elif not pdm.route_lanes:
        reasons["driving_direction_compliance"] = no_route
    if not pdm.route_lanes:
        reasons["lane_keeping"] = no_route
    return reasons
