"""From a scenario to what the scorer needs: the scene, and the reference that progress is measured by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.geometry.se2 import shift_forward
from simengine.map.route import path_centerline, route_centerline, route_lanes
from simengine.metrics.pdm.ego_geometry import ego_geometry
from simengine.metrics.pdm.map_areas import DrivableMap, drivable_map
from simengine.metrics.pdm.observation import interpolate_tracks, observation_from_tracks
from simengine.metrics.pdm.parameters import PdmParameters
from simengine.metrics.pdm.progress import raw_progress
from simengine.metrics.pdm.scene import PdmScene
from simengine.scenario.scenario import Scenario

PATH_EXTENSION = 50.0
"""By how much a driven path is prolonged as a centre line, so that a faster ego earns its progress [m]."""


@dataclass(frozen=True)
class Reference:
    """A drive whose progress is full progress, and the line along which it counts.

    Attributes:
        states: (S, 11) rear-axle states from the present on.
        centerline: (N, 2 or more columns) in world [m].
        route_lanes: ids of the lanes and connectors of the route.
        source: `logged_ego`, or the planner that drove it.
    """

    states: np.ndarray
    centerline: np.ndarray
    route_lanes: frozenset[str]
    source: str


def logged_reference(scenario: Scenario, frame: int, num_states: int, dt: float) -> Reference:
    """Return the logged drive from `frame` on; it ends early where the log does.

    The centre line is the route's, unless the log makes less than half of its way along it: a route that
    breaks off or leads elsewhere would call the logged drive no progress.

    Args:
        scenario: at any rate.
        frame: of the scenario.
        num_states: states wanted, the present one included.
        dt: time between them [s].
    """
    states = logged_states(scenario, frame, dt * np.arange(num_states))
    lanes = frozenset(route_lanes(scenario.map, scenario.route))
    return Reference(states, _centerline(scenario, frame, states), lanes, "logged_ego")


def logged_states(scenario: Scenario, frame: int, elapsed: np.ndarray) -> np.ndarray:
    """Return the logged ego (S, 11) at times (S,) [s] after `frame`, fewer where the log ends before.

    Steering and yaw terms are 0, as in `initial_state` of the published modes.
    """
    known = (scenario.timestamps_us - scenario.timestamps_us[frame]) * 1e-6
    elapsed = elapsed[elapsed <= known[-1] + 0.5 * scenario.dt]
    pose = scenario.ego.pose
    columns = [*pose[:, :2].T, np.unwrap(pose[:, 2]), *scenario.ego.velocity.T, *scenario.ego.acceleration.T]
    states = np.zeros((len(elapsed), STATE_SIZE))
    states[:, :7] = np.stack([np.interp(elapsed, known, column) for column in columns], axis=1)
    return states


def initial_state(scenario: Scenario, frame: int, parameters: PdmParameters) -> np.ndarray:
    """Return the logged state (11,) that plans are driven from in a mode.

    Logs hold no steering; NAVSIM starts with straight wheels. Where the mode steers by the yaw rate from the start,
    the state has the one of the log, from the headings of the frames around.
    """
    state = scenario.ego.state(frame)
    if parameters.steering_from_yaw_rate:
        around = slice(max(frame - 1, 0), frame + 2)
        yaw = np.unwrap(scenario.ego.pose[around, 2])
        elapsed = np.ptp(scenario.timestamps_us[around]) * 1e-6
        state[StateIndex.ANGULAR_VELOCITY] = (yaw[-1] - yaw[0]) / elapsed if elapsed > 0.0 else 0.0
    return state


def logged_future(
    scenario: Scenario, seconds: float, dt: float, lone_detections_vanish: bool = False
) -> AgentTracks:
    """Return the logged tracks from the first decision on, `dt` apart, over `seconds` or until the log ends.

    Frames of a log at a whole multiple of the rate are taken as they are, as the closed loop does. Slower logs are
    interpolated by NAVSIM's rules: linear, gaps bridged, nothing beyond the first and last detection within
    `seconds`. The closed loop resamples them otherwise (curves through the logged velocities, gaps left open),
    which moves cars more smoothly but is not what published open-loop scores were made with.

    Args:
        scenario: at any rate.
        seconds: from the first decision on.
        dt: time between the frames wanted [s].
        lone_detections_vanish: see `interpolate_tracks`.
    """
    first, log = scenario.initial_frame, scenario.agents
    left = min((scenario.num_frames - 1 - first) * scenario.dt, seconds)
    count, stride = int(left / dt + 1e-6) + 1, dt / scenario.dt
    whole = round(stride)
    if whole >= 1 and abs(stride - whole) < 1e-6:
        return log.at_frames(first + whole * np.arange(count))
    detections = log.at_frames(first + np.arange(int(left / scenario.dt + 1e-6) + 1))
    return interpolate_tracks(detections, scenario.dt, count, dt, lone_detections_vanish)


def scene_of(
    scenario: Scenario,
    tracks: AgentTracks,
    ego_pose: np.ndarray,
    reference: Reference,
    dt: float,
    parameters: PdmParameters,
    drivable: DrivableMap | None = None,
) -> PdmScene:
    """Return what proposals that start at `ego_pose` (3,) are scored against.

    Args:
        scenario: gives map and vehicle.
        tracks: the others, `dt` apart from the present on; a second more than is scored lets time to collision
            look ahead.
        ego_pose: present pose of the rear axle; polygons around its box centre count.
        reference: gives centre line and route.
        dt: time between states [s].
        parameters: rules of the mode.
        drivable: the drivable map there, for those who have it: its index takes longer than scoring one drive.
    """
    center = shift_forward(np.asarray(ego_pose[:3]), scenario.vehicle.rear_axle_to_center)[:2]
    return PdmScene(
        scenario.vehicle,
        observation_from_tracks(tracks),
        drivable or drivable_map(scenario.map, center, parameters.map_radius),
        reference.route_lanes,
        reference.centerline,
        dt,
        parameters,
    )


def _centerline(scenario: Scenario, frame: int, states: np.ndarray) -> np.ndarray:
    logged = scenario.ego.pose[frame:]
    fallback = path_centerline(logged, PATH_EXTENSION)
    if fallback is None:
        ahead = PATH_EXTENSION * np.array([np.cos(logged[0, 2]), np.sin(logged[0, 2])])
        fallback = np.stack([logged[0, :2] - ahead, logged[0, :2] + ahead])
    line = route_centerline(scenario.map, scenario.route, logged[0]) if scenario.route else None
    if line is None:
        return fallback
    ego = ego_geometry(states[None], scenario.vehicle)
    along_route, along_path = raw_progress(ego, line)[0], raw_progress(ego, fallback)[0]
    return line if along_route >= 0.5 * along_path - 0.5 else fallback
