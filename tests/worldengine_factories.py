"""Scenarios in the published format with agents of all kinds that come and go, and plans to drive through them."""

from __future__ import annotations

import numpy as np

from scenario_factories import make_legacy, scene_track
from simengine.scenario.legacy import scenario_from_legacy
from simengine.scenario.scenario import Scenario

LOG = "2021.05.12.22.00.38_veh-35_01008_01518"
KINDS = {
    "VEHICLE": (0, (4.6, 1.9, 1.6)),
    "PEDESTRIAN": (1, (0.6, 0.7, 1.7)),
    "CYCLIST": (2, (1.8, 0.7, 1.7)),
    "TRAFFIC_CONE": (3, (0.4, 0.4, 0.9)),
    "TRAFFIC_BARRIER": (4, (2.0, 0.5, 1.0)),
    "TRAFFIC_OBJECT": (6, (1.0, 1.0, 1.0)),
}


def make_published(seed: int = 0, frames: int = 24, agents: int = 18) -> dict:
    """Return a scenario dictionary whose ego turns and whose agents are valid in one or two stretches of time."""
    rng = np.random.default_rng(seed)
    scene = make_legacy(frames)
    scene["object_track"] = {"ego": _ego(rng, frames)}
    for k in range(agents):
        kind = [*KINDS][k % len(KINDS)]
        scene["object_track"][f"{k:016x}"] = _agent(rng, kind, frames)
    scene["id"] = scene["name"] = scene["token"] = f"{LOG}-{seed:016x}"
    return scene


def read(scene: dict) -> Scenario:
    """Return the scenario our reader makes of a scenario dictionary."""
    return scenario_from_legacy(scene["id"], scene)


def make_plans(seed: int, count: int = 8) -> np.ndarray:
    """Return plans (count, 40, 3) at 0.1 s with changing speed and curvature, float32 like a vocabulary."""
    rng = np.random.default_rng(seed)
    t = 0.1 * np.arange(1, 41)
    speed = rng.uniform(2.0, 9.0, (count, 1)) + rng.uniform(-1.0, 1.0, (count, 1)) * t
    curvature = rng.uniform(-0.08, 0.08, (count, 1)) * np.sin(rng.uniform(0.3, 1.5, (count, 1)) * t)
    yaw = np.cumsum(0.1 * speed * curvature, axis=1)
    x, y = np.cumsum(0.1 * speed * np.cos(yaw), axis=1), np.cumsum(0.1 * speed * np.sin(yaw), axis=1)
    return np.stack([x, y, yaw], axis=-1).astype(np.float32)


def _ego(rng: np.random.Generator, frames: int) -> dict:
    t = 0.5 * np.arange(frames)
    heading = np.pi / 2 + 0.15 * np.sin(0.4 * t + rng.uniform(0, 6))
    speed = 6.0 + np.sin(0.3 * t)
    step = 0.5 * speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    position = np.zeros((frames, 3))
    position[1:, :2] = np.cumsum(step, axis=0)[:-1]
    return _published(scene_track("VEHICLE", position, heading, (5.176, 2.297, 1.777), 0.5), 7)


def _agent(rng: np.random.Generator, kind: str, frames: int) -> dict:
    number, size = KINDS[kind]
    t = 0.5 * np.arange(frames)
    heading = rng.uniform(-np.pi, np.pi) + 0.05 * t
    speed = 0.0 if kind.startswith("TRAFFIC") else rng.uniform(0.0, 8.0)
    position = np.zeros((frames, 3))
    position[:, 0] = rng.uniform(-30, 30) + speed * t * np.cos(heading[0])
    position[:, 1] = rng.uniform(-10, 60) + speed * t * np.sin(heading[0])
    track = _published(scene_track(kind, position, heading, size, 0.5), number)
    absent = ~_presence(rng, frames)
    for values in track["state"].values():
        values[absent] = 0
    return track


def _presence(rng: np.random.Generator, frames: int) -> np.ndarray:
    there = np.zeros(frames, bool)
    for _ in range(2):
        first = rng.integers(0, 14)
        there[first : first + rng.integers(1, 8)] = True
    return there


def _published(track: dict, number: int) -> dict:
    state = track["state"]
    state["valid"] = state["valid"].astype(np.float64)
    for name in ("length", "width", "height"):
        state[name] = state[name][:, None].astype(np.float64)
    frames = len(state["valid"])
    return {
        **track,
        "metadata": {"track_length": frames, "type": track["type"], "nuplan_type": number},
    }
