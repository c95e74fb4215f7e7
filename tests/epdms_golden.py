"""Golden scenes of the extended PDM score (NAVSIM v2.2) as inputs of our scorer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pdm_golden import load_golden, ragged
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import STATE_SIZE, StateIndex
from simengine.datatypes.vehicle import VehicleParams
from simengine.dynamics.simulate import simulate
from simengine.geometry import angles, boxes
from simengine.geometry.se2 import shift_forward, to_parent
from simengine.metrics.epdms.lights import RedLights
from simengine.metrics.epdms.parameters import EPDMS
from simengine.metrics.epdms.past import past_states
from simengine.metrics.epdms.scene import EpdmsScene
from simengine.metrics.pdm.observation import TrackObservation, interpolate_tracks, observation_from_tracks

VEHICLE = VehicleParams()
STATES = 41


@dataclass(frozen=True)
class ExtendedGolden:
    data: dict[str, np.ndarray]
    states: np.ndarray
    scene: EpdmsScene


def load_extended_golden(path: Path) -> ExtendedGolden:
    """Return a v2 scene; `path` is that of the v1 file beside it."""
    base = load_golden(path)
    with np.load(path.with_name(f"{path.stem}_v2.npz"), allow_pickle=False) as file:
        data = base.data | {key: file[key] for key in file.files}
    states = with_yaw_rates(base.states)
    states[0] = _reference(data)
    pdm = replace(base.scene, observation=_observation(data, states[0, 0]), parameters=EPDMS.pdm)
    scene = EpdmsScene(pdm, _red_lights(data), _past(data), _human(data))
    return ExtendedGolden(data, states, scene)


def with_yaw_rates(states: np.ndarray) -> np.ndarray:
    """Return states whose yaw rate and acceleration follow from speed and steering, as in the bicycle model."""
    full = np.array(states)
    rate = (
        full[..., StateIndex.VELOCITY_X] * np.tan(full[..., StateIndex.STEERING_ANGLE]) / VEHICLE.wheel_base
    )
    rate[:, 0] = full[:, 0, StateIndex.ANGULAR_VELOCITY]
    full[..., StateIndex.ANGULAR_VELOCITY] = rate
    full[:, 1:, StateIndex.ANGULAR_ACCELERATION] = np.diff(rate, axis=1) / (100_000 * 1e-6)
    return full


def sampled(start_us: int, knot_us: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return poses (41, 3) at 0.1 s, with times cut to microseconds as NAVSIM does."""
    times = np.arange(0, 4.0 + 0.1, 0.1)[:STATES]
    at = np.array([int(1e6 * (t + start_us * 1e-6)) for t in times]) - start_us
    at = np.clip(at, knot_us[0], knot_us[-1]).astype(np.float64)
    position = [np.interp(at, knot_us, poses[:, axis]) for axis in range(2)]
    return np.stack([*position, angles.interpolate(at, knot_us, poses[:, 2])], axis=1)


def _reference(data: dict) -> np.ndarray:
    start = int(data["ego_time_us"])
    knots = np.arange(len(data["v2_pdm_trajectory"])) * 100_000
    poses = sampled(start, knots, data["v2_pdm_trajectory"])
    return simulate(data["sim_initial_state"], poses[None], VEHICLE, 0.1)[0]


def _human(data: dict) -> np.ndarray:
    start = int(data["ego_time_us"])
    future = [int(1e6 * (t + start * 1e-6)) - start for t in np.arange(0, 4, 0.5) + 0.5]
    relative = np.concatenate([np.zeros((1, 3)), data["human_poses"]])
    poses = sampled(start, np.array([0, *future]), to_parent(data["ego_rear_axle"], relative))
    return simulate(data["sim_initial_state"], poses[None], VEHICLE, 0.1)[0]


def _observation(data: dict, first: np.ndarray) -> TrackObservation:
    frames = 9
    count = len(data["agent_token"])
    detections = AgentTracks(
        tuple(data["agent_token"].tolist()),
        data["agent_type"],
        np.nan_to_num(data["agent_pose"][:, :frames]),
        np.nan_to_num(data["agent_velocity"][:, :frames]),
        np.stack([data["agent_length"], data["agent_width"], np.ones(count)], axis=1),
        data["agent_present"][:, :frames],
    )
    center = shift_forward(first[:3], VEHICLE.rear_axle_to_center)
    ego = boxes.corners(center, VEHICLE.length, VEHICLE.width)
    others = boxes.corners(detections.pose[:, 0], detections.size[:, 0], detections.size[:, 1])
    hit = boxes.overlap(ego[None], others) & detections.valid[:, 0]
    return observation_from_tracks(interpolate_tracks(detections.select(~hit), 0.5, STATES, 0.1))


def _red_lights(data: dict) -> RedLights:
    route, blocks = set(data["route_rb_token"].tolist()), data["rb_token"].tolist()
    rings = dict(zip(data["lane_token"].tolist(), ragged(data, "lane_poly"), strict=True))
    block_of = dict(zip(data["lane_token"].tolist(), data["lane_roadblock"].tolist(), strict=True))
    rows = [
        row
        for row, token in enumerate(data["red_connector_token"].tolist())
        if blocks[block_of[token]] in route
    ]
    ids = tuple(data["red_connector_token"][rows].tolist())
    frame = np.arange(STATES) // 5
    return RedLights(ids, tuple(rings[token] for token in ids), data["red_connector_frames"][rows][:, frame])


def _past(data: dict) -> np.ndarray:
    knots = np.zeros((len(data["past_rear_axle"]), STATE_SIZE))
    knots[:, :3], knots[:, 3:7] = data["past_rear_axle"], data["past_vel_acc"]
    return past_states(data["past_time_us"], knots, EPDMS)
