"""Small Gaussians, cameras and scenarios for the rendering tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factories import make_scenario, make_tracks
from simengine.datatypes.agents import AgentStates, AgentType
from simengine.datatypes.camera import CameraCalibration
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.render.gaussians import FlatGaussians
from simengine.render.sh import from_rgb
from simengine.scenario.scenario import Scenario

IDENTITY_QUATERNION = (1.0, 0.0, 0.0, 0.0)


def make_camera(width: int = 64, height: int = 48, focal: float = 50.0) -> CameraCalibration:
    """Return a pinhole whose optical axis passes through a pixel centre."""
    intrinsic = np.array([[focal, 0.0, width // 2 + 0.5], [0.0, focal, height // 2 + 0.5], [0.0, 0.0, 1.0]])
    return CameraCalibration("CAM", width, height, intrinsic, np.eye(4), np.zeros(5))


def make_gaussian(
    mean: tuple[float, float, float],
    sigma: float = 0.1,
    opacity: float = 1.0,
    rgb: tuple[float, float, float] = (1.0, 0.0, 0.0),
) -> FlatGaussians:
    """Return one round Gaussian."""
    return FlatGaussians(
        np.array([mean]),
        np.array([IDENTITY_QUATERNION]),
        np.full((1, 3), sigma),
        np.array([opacity]),
        from_rgb([rgb]),
    )


def make_random_gaussians(count: int, degree: int = 0, seed: int = 0, depth: float = 8.0) -> FlatGaussians:
    """Return Gaussians of all sizes in front of, beside and behind a camera at the origin."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(-depth, depth, (count, 3))
    sh = rng.normal(0.0, 0.15, (count, (degree + 1) ** 2, 3))
    sh[:, :1] = from_rgb(rng.random((count, 3)))
    scales = np.exp(rng.uniform(np.log(0.005), np.log(1.0), (count, 3)))
    return FlatGaussians(means, rng.normal(size=(count, 4)), scales, rng.uniform(0.02, 1.0, count), sh)


def states_at(scenario: Scenario, frame: int) -> AgentStates:
    """Return the logged agents of one frame."""
    tracks = scenario.agents
    rows = np.flatnonzero(tracks.valid[:, frame])
    ids = tuple(tracks.ids[row] for row in rows)
    return AgentStates(
        ids, tracks.types[rows], tracks.pose[rows, frame], tracks.velocity[rows, frame], tracks.size[rows]
    )


def make_street(lights: bool = True, token: str = "street") -> Scenario:
    """Return the straight road with a car ahead, a pedestrian, a cone, a cyclist, and a light that turns green."""
    poses = np.zeros((4, 66, 3))
    poses[0, :, 0], poses[1, :, :2], poses[2, :, :2], poses[3, :, :2] = (
        34.0,
        (28.0, -3.0),
        (26.0, 2.0),
        (24.0, 6.0),
    )
    kinds = [AgentType.VEHICLE, AgentType.PEDESTRIAN, AgentType.TRAFFIC_CONE, AgentType.CYCLIST]
    size = np.array([[4.6, 1.9, 1.6], [0.6, 0.6, 1.75], [0.5, 0.5, 1.0], [1.8, 0.7, 1.7]])
    agents = replace(make_tracks(poses), types=np.array(kinds, np.int8), size=size)
    changes: dict = {"agents": agents, "token": token}
    if lights:
        state = np.full((1, 66), LightState.RED, np.int8)
        state[:, 30:] = LightState.GREEN
        changes["lights"] = TrafficLights(("lane_0",), state, np.array([[25.0, 0.0]]))
    return make_scenario(**changes)
