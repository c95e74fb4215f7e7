"""From a scenario and the tracks around the ego to what the extended score is computed against."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import ScenarioFormatError
from simengine.geometry import boxes
from simengine.geometry.se2 import shift_forward
from simengine.map.route import path_centerline, route_centerline, route_lanes
from simengine.metrics.epdms.human_drive import human_drive
from simengine.metrics.epdms.parameters import epdms_parameters_of
from simengine.metrics.epdms.past import logged_past
from simengine.metrics.epdms.route_lights import lights_at, red_lights
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.pdm.map_areas import LANE_LAYERS, DrivableMap, drivable_map
from simengine.metrics.pdm.observation import TrackObservation, observation_from_tracks
from simengine.metrics.pdm.scorer import PdmScene
from simengine.scenario.scenario import Scenario

EXTENSION = 50.0


def epdms_scene(
    scenario: Scenario,
    tracks: AgentTracks,
    *,
    mode: str = "epdms",
    num_states: int = 41,
    dt: float = 0.1,
    lights: TrafficLights | None = None,
    lanes: Collection[str] | None = None,
    centerline: np.ndarray | None = None,
    human_filter: bool = True,
) -> EpdmsScene:
    """Return the scene of the states that start at `scenario.initial_frame`.

    Tracks that overlap the ego there are left out, as NAVSIM does. Without a route the centre line is the logged path,
    and lane keeping is unknown. Without a logged past history comfort is full; without a logged future up to the
    last state nobody is excused.

    Args:
        scenario: map, route, logged ego before and after the initial frame.
        tracks: what the ego met, at least `num_states` frames from the initial frame on, `dt` apart.
        mode: of the extended score.
        num_states: number of scored states S.
        dt: time between them [s].
        lights: over the frames of `tracks`; left out, those of the scenario, each state holding until the next.
        lanes: ids of the lanes that are no wrong way, for instance those of a corrected route; left out, those of
            the scenario's route. Red lights count on the scenario's route in any case.
        centerline: (N, 2 or more columns) line of progress and lane keeping; left out, that of the route.
        human_filter: whether the logged future excuses; not meant for synthetic scenarios.
    """
    parameters = epdms_parameters_of(mode)
    if tracks.num_frames < num_states:
        raise ScenarioFormatError(
            f"scenario {scenario.token}: tracks cover {tracks.num_frames} frames, expected at least {num_states}: "
            "simulate longer or score fewer states"
        )
    start = scenario.ego.state(scenario.initial_frame)
    center = shift_forward(start[:3], scenario.vehicle.rear_axle_to_center)
    drivable = drivable_map(scenario.map, center[:2], parameters.pdm.map_radius)
    lanes = frozenset(route_lanes(scenario.map, scenario.route) if lanes is None else lanes)
    if centerline is None and scenario.route:
        centerline = route_centerline(scenario.map, scenario.route, start[:3])
    times = np.arange(num_states) * dt
    seen = lights_at(scenario, times)
    if lights is not None:
        seen = TrafficLights(lights.lane_ids, lights.state[:, :num_states], lights.stop_point)
    red, missing = red_lights(scenario, seen)
    unknown = _unknown(scenario, drivable, lanes, centerline)
    if missing:
        unknown["traffic_light_compliance"] = missing
    pdm = PdmScene(
        scenario.vehicle,
        _observation(tracks, num_states, center, scenario.vehicle),
        drivable,
        lanes,
        _logged_line(scenario) if centerline is None else centerline,
        dt,
        parameters.pdm,
    )
    return EpdmsScene(
        pdm,
        red,
        logged_past(scenario, dt, parameters),
        human_drive(scenario, times, parameters) if human_filter else None,
        parameters,
        unknown,
    )


def _observation(
    tracks: AgentTracks, num_states: int, center: np.ndarray, vehicle: VehicleParams
) -> TrackObservation:
    ego = boxes.corners(center, vehicle.length, vehicle.width)
    others = boxes.corners(tracks.pose[:, 0], tracks.size[:, 0], tracks.size[:, 1])
    apart = ~(boxes.overlap(ego[None], others) & tracks.valid[:, 0])
    kept = tracks.select(apart)
    return observation_from_tracks(
        AgentTracks(
            kept.ids,
            kept.types,
            kept.pose[:, :num_states],
            kept.velocity[:, :num_states],
            kept.size,
            kept.valid[:, :num_states],
        )
    )


def _logged_line(scenario: Scenario) -> np.ndarray:
    logged = scenario.ego.pose[scenario.initial_frame :]
    line = path_centerline(logged, EXTENSION)
    if line is not None:
        return line
    ahead = EXTENSION * np.array([np.cos(logged[0, 2]), np.sin(logged[0, 2])])
    return np.stack([logged[0, :2] - ahead, logged[0, :2] + ahead])


def _unknown(
    scenario: Scenario, drivable: DrivableMap, lanes: Collection[str], centerline: np.ndarray | None
) -> dict[str, str]:
    reasons: dict[str, str] = {}
    no_map = "the scenario has no map" if scenario.map.is_empty else ""
    if not drivable.has(*drivable.drivable_layers):
        reasons["drivable_area_compliance"] = no_map or "the map has no drivable area near the ego"
    if not drivable.has(*LANE_LAYERS):
        reasons["driving_direction_compliance"] = no_map or "the map has no lane polygons near the ego"
    elif not lanes:
        reasons["driving_direction_compliance"] = "the scenario has no usable route"
    if centerline is None:
        reasons["lane_keeping"] = no_map or "the scenario has no usable route"
    return reasons
