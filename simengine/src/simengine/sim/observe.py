"""From the state of a simulation to what a planner is told."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.lidar import LidarCloud
from simengine.datatypes.observation import DrivingCommand, Observation
from simengine.datatypes.state import SimState
from simengine.geometry.se2 import to_local
from simengine.map.route import driving_commands, route_centerline
from simengine.scenario.scenario import Scenario
from simengine.sim.protocol import Protocol


def command_line(scenario: Scenario) -> np.ndarray:
    """Return the line (N, 2) that driving commands follow: the route, or the logged path without a map."""
    line = route_centerline(scenario.map, scenario.route, scenario.ego.pose[scenario.initial_frame])
    return scenario.ego.pose[:, :2] if line is None else line


def ego_observation(
    state: SimState,
    scenario: Scenario,
    protocol: Protocol,
    line: np.ndarray,
    cameras: tuple[CameraCalibration, ...],
    images: Mapping[str, np.ndarray],
    lidar: LidarCloud | None = None,
) -> Observation:
    """Return the observation at `state`: ego history in the present ego frame, commands and sensors."""
    stride = round(protocol.history_dt / protocol.dt)
    offsets = np.arange(protocol.history_length - 1, -1, -1) * stride
    frames = state.frame - offsets
    valid = frames >= 0
    index = np.maximum(frames, 0)
    past = state.ego_trail[index]
    rules = protocol.rules
    motion = rules.told_motion(state.ego_trail, scenario.vehicle, scenario.dt)[index]
    commands = driving_commands(line, rules.commanded_at(scenario, index, past[:, :3]))
    return Observation(
        token=scenario.token,
        step=(state.frame - scenario.initial_frame) // protocol.steps_per_decision,
        timestamp_us=state.timestamp_us,
        images=dict(images),
        cameras=cameras,
        ego_pose=state.ego[:3].copy(),
        ego_history=to_local(state.ego[:3], past[:, :3]),
        velocity_history=motion[:, :2].copy(),
        acceleration_history=motion[:, 2:].copy(),
        command_history=np.where(valid, commands, int(DrivingCommand.UNKNOWN)).astype(np.int8),
        history_valid=valid,
        history_dt=protocol.history_dt,
        lidar=lidar,
    )
