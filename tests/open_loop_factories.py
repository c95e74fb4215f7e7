"""Golden PDM scenes as scenarios of a 2 Hz log, and plans for the factory road."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from factories import make_scenario
from pdm_closed_golden import golden_map, read_golden
from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import EgoTrack
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.plan import Plan
from simengine.geometry.se2 import to_parent
from simengine.scenario.scenario import Scenario

GOLDEN = Path(__file__).resolve().parent / "golden" / "pdm"
HISTORY, FUTURE = 3, 11


def golden_scenario(path: Path) -> Scenario:
    """Return a golden scene as a log at 2 Hz: 1.5 s of past, 5 s of traffic, 4 s of logged driving."""
    data = read_golden(path)
    frames = HISTORY + FUTURE
    pose, velocity, acceleration = np.zeros((frames, 3)), np.zeros((frames, 2)), np.zeros((frames, 2))
    pose[: HISTORY + 1] = data["past_rear_axle"]
    velocity[: HISTORY + 1], acceleration[: HISTORY + 1] = (
        data["past_vel_acc"][:, :2],
        data["past_vel_acc"][:, 2:],
    )
    start = data["sim_initial_state"]
    pose[HISTORY], velocity[HISTORY], acceleration[HISTORY] = start[:3], start[3:5], start[5:7]
    pose[HISTORY + 1 : HISTORY + 9] = to_parent(start[:3], data["human_poses"])
    pose[HISTORY + 9 :] = pose[HISTORY + 8]
    time = int(data["ego_time_us"])
    times = np.concatenate([data["past_time_us"], time + 500_000 * np.arange(1, FUTURE)])
    times[HISTORY] = time
    red = data["red_connector_frames"].astype(bool)
    return make_scenario(
        token=path.stem,
        dt=0.5,
        timestamps_us=times.astype(np.int64),
        initial_frame=HISTORY,
        agents=_tracks(data),
        ego=EgoTrack(pose, velocity, acceleration),
        map=golden_map(data),
        lights=TrafficLights(
            tuple(data["red_connector_token"].tolist()),
            np.pad(np.where(red, LightState.RED, LightState.GREEN), ((0, 0), (HISTORY, 0))).astype(np.int8),
            np.full((len(red), 2), np.nan),
        ),
        route=tuple(data["route_rb_token"].tolist()),
    )


def golden_plan(data: dict[str, np.ndarray], index: int) -> Plan:
    """Return a submitted plan: 8 poses every half second."""
    return Plan(data["proposal_poses"][index], 0.5)


def straight_plan(speed: float = 8.0, steps: int = 8, dt: float = 0.5) -> Plan:
    """Return a plan straight on at constant speed."""
    poses = np.zeros((steps, 3))
    poses[:, 0] = speed * dt * np.arange(1, steps + 1)
    return Plan(poses, dt)


def _tracks(data: dict[str, np.ndarray]) -> AgentTracks:
    count = len(data["agent_token"])
    padding = ((0, 0), (HISTORY, 0), (0, 0))
    return AgentTracks(
        tuple(data["agent_token"].tolist()),
        data["agent_type"],
        np.pad(np.nan_to_num(data["agent_pose"]), padding),
        np.pad(np.nan_to_num(data["agent_velocity"]), padding),
        np.stack([data["agent_length"], data["agent_width"], np.ones(count)], axis=1),
        np.pad(data["agent_present"], padding[:2]),
    )
