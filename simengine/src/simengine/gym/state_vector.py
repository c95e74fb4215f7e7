"""The state observation: a vector of fixed length in the ego frame, scaled to about [-1, 1].

The layout is `BLOCKS`; `docs/gym.md` shows it as a table.
"""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentType
from simengine.datatypes.ego import StateIndex
from simengine.datatypes.lights import LightState
from simengine.datatypes.observation import DrivingCommand, Observation
from simengine.datatypes.state import SimState
from simengine.dynamics.bicycle import MAX_STEERING_ANGLE
from simengine.geometry import polyline
from simengine.geometry.angles import wrap
from simengine.geometry.se2 import points_to_local, rotate, shift_forward, to_local
from simengine.gym.stage import Stage
from simengine.map.route import route_lanes

LIMIT = 4.0
FAR, FAST, HARD = 50.0, 20.0, 5.0  # m, m/s, m/s^2
ROUTE_AHEAD = np.array([2.0, 4.0, 7.0, 10.0, 15.0, 20.0, 30.0, 40.0, 55.0, 70.0])
NUM_AGENTS, AGENT_WIDTH, AGENT_RANGE = 12, 11, 80.0
NUM_LIGHTS, LIGHT_WIDTH = 2, 6
_VULNERABLE = (AgentType.PEDESTRIAN, AgentType.CYCLIST)


def blocks(history_length: int) -> dict[str, int]:
    """Return the parts of the vector and their lengths, in order."""
    return {
        "ego": 9,
        "history": 3 * (history_length - 1),
        "command": len(DrivingCommand),
        "route": 4 * len(ROUTE_AHEAD),
        "agents": NUM_AGENTS * AGENT_WIDTH,
        "lights": NUM_LIGHTS * LIGHT_WIDTH,
    }


def state_vector(observation: Observation, state: SimState, stage: Stage, remaining: float) -> np.ndarray:
    """Return the vector (sum of `blocks`,) float32.

    Args:
        observation: what the ego knows of itself.
        state: the world.
        stage: the scenario.
        remaining: share of the horizon that is left.
    """
    command = np.eye(len(DrivingCommand))[int(observation.command_history[-1])]
    parts = (
        _ego(state.ego, stage, remaining),
        (observation.ego_history[:-1] / np.array([FAST, FAST, np.pi])).ravel(),
        command,
        _route(state.ego, stage),
        _agents(state, stage),
        _lights(state, stage),
    )
    return np.clip(np.concatenate(parts), -LIMIT, LIMIT).astype(np.float32)


def _line(stage: Stage) -> np.ndarray:
    return np.asarray(stage.reference.centerline)[:, :2]


def _ego(ego: np.ndarray, stage: Stage, remaining: float) -> np.ndarray:
    line = _line(stage)
    along, offset = polyline.project(line, ego[:2])
    heading = wrap(ego[StateIndex.HEADING] - polyline.sample(line, along)[2])
    return np.array(
        [
            ego[StateIndex.VELOCITY_X] / FAST,
            ego[StateIndex.ACCELERATION_X] / HARD,
            ego[StateIndex.ANGULAR_VELOCITY],
            ego[StateIndex.STEERING_ANGLE] / MAX_STEERING_ANGLE,
            offset / HARD,
            np.sin(heading),
            np.cos(heading),
            _speed_limit(ego, stage) / FAST,
            remaining,
        ]
    )


def _speed_limit(ego: np.ndarray, stage: Stage) -> float:
    """Return the limit of the nearest lane of the route [m/s], 0 if it is not known."""
    lanes = route_lanes(stage.scenario.map, stage.scenario.route)
    gaps = {
        i: float(np.hypot(*(lane.centerline[:, :2] - ego[:2]).T).min())
        for i, lane in lanes.items()
        if np.isfinite(lane.speed_limit)
    }
    return float(lanes[min(gaps, key=lambda i: gaps[i])].speed_limit) if gaps else 0.0


def _route(ego: np.ndarray, stage: Stage) -> np.ndarray:
    line = _line(stage)
    along, _ = polyline.project(line, ego[:2])
    ahead = to_local(ego[:3], polyline.sample(line, along + ROUTE_AHEAD))
    return np.column_stack([ahead[:, :2] / FAR, np.cos(ahead[:, 2]), np.sin(ahead[:, 2])]).ravel()


def _agents(state: SimState, stage: Stage) -> np.ndarray:
    """Return the nearest agents by the distance of box centres, nearest first, zeros where there are fewer."""
    tracks = stage.scenario.agents
    center = shift_forward(state.ego[:3], stage.scenario.vehicle.rear_axle_to_center)
    gap = np.hypot(*(state.agents.pose[:, :2] - center[:2]).T)
    near = np.flatnonzero(state.agents.present & (gap < AGENT_RANGE))
    near = near[np.argsort(gap[near], kind="stable")][:NUM_AGENTS]
    table = np.zeros((NUM_AGENTS, AGENT_WIDTH))
    local = to_local(center, state.agents.pose[near])
    own = rotate(state.ego[[StateIndex.VELOCITY_X, StateIndex.VELOCITY_Y]], state.ego[StateIndex.HEADING])
    relative = rotate(state.agents.velocity[near] - own, -state.ego[StateIndex.HEADING])
    kinds = tracks.types[near]
    table[: len(near)] = np.column_stack(
        [
            np.ones(len(near)),
            local[:, :2] / FAR,
            np.cos(local[:, 2]),
            np.sin(local[:, 2]),
            relative / FAST,
            tracks.size[near, :2] / HARD,
            kinds == AgentType.VEHICLE,
            np.isin(kinds, _VULNERABLE),
        ]
    )
    return table.ravel()


def _lights(state: SimState, stage: Stage) -> np.ndarray:
    """Return the nearest lights of the route's lanes ahead, zeros where there are fewer."""
    lights = stage.scenario.lights
    table = np.zeros((NUM_LIGHTS, LIGHT_WIDTH))
    wanted = [
        i
        for i, lane in enumerate(lights.lane_ids)
        if np.isfinite(lights.stop_point[i]).all() and (not stage.route_lanes or lane in stage.route_lanes)
    ]
    if wanted:
        local = points_to_local(state.ego[:3], lights.stop_point[wanted])
        shown = lights.state[wanted, min(state.frame, lights.state.shape[1] - 1)]
        order = [k for k in np.argsort(np.hypot(*local.T), kind="stable") if local[k, 0] > 0.0]
        for row, k in zip(table, order, strict=False):
            row[:] = (
                1.0,
                *(local[k] / FAR),
                *(shown[k] == (LightState.GREEN, LightState.YELLOW, LightState.RED)),
            )
    return table.ravel()
