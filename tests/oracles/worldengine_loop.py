"""The published closed loop written down as its description reads: one scenario dictionary, plain lists, no batches.

Nothing of ours is imported. Positions are box centres in the local frame of the scenario; velocities lie in world
axes. Non-reactive traffic only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

NUM_HISTORY, NUM_FUTURE = 4, 8
STEP = 0.5
REAR_AXLE_TO_CENTER = 1.461
NEVER_CREATED = ("PEDESTRIAN", "CYCLIST")


@dataclass
class Agent:
    """One road user as the simulator keeps it."""

    kind: str
    traj_step: int
    position: np.ndarray
    heading: float
    velocity: np.ndarray
    size: tuple[float, float, float]


@dataclass
class Frame:
    """What is true at one episode step."""

    step: int
    position: np.ndarray
    heading: float
    velocity: np.ndarray
    yaw_rate: float
    acceleration: np.ndarray
    agents: dict[str, Agent] = field(default_factory=dict)

    @property
    def rear_axle(self) -> np.ndarray:
        forward = np.array([math.cos(self.heading), math.sin(self.heading)])
        return self.position - REAR_AXLE_TO_CENTER * forward

    def in_ego_axes(self, vector: np.ndarray) -> np.ndarray:
        c, s = math.cos(self.heading), math.sin(self.heading)
        return np.array([c * vector[0] + s * vector[1], -s * vector[0] + c * vector[1]])


def wrap(angle: float) -> float:
    return math.atan2(math.sin(angle), math.cos(angle))


def episode(scenario: dict, plan: Callable[[Frame], np.ndarray]) -> list[Frame]:
    """Return the twelve frames of an episode; `plan` gives (40, 3) poses in the ego frame at frames 3 to 10."""
    frames = [first_frame(scenario)]
    for step in range(NUM_HISTORY + NUM_FUTURE - 1):
        now = frames[-1]
        if step < NUM_HISTORY - 1:
            positions, headings, velocities, rates = log_slice(
                scenario["object_track"]["ego"], step, step + 9
            )
        else:
            positions, headings, velocities, rates = planned(now, plan(now))
        frames.append(
            Frame(
                step + 1,
                positions[1],
                headings[1],
                velocities[1],
                rates[1],
                (velocities[1] - now.velocity) / STEP,
                after(scenario, now.agents, step + 1),
            )
        )
    return frames


def planned(now: Frame, poses: np.ndarray):
    """Return the plan as nine centre states 0.5 s apart, the present first."""
    c, s = math.cos(now.heading), math.sin(now.heading)
    centers, headings = [], []
    for x, y, yaw in [(0.0, 0.0, 0.0), *np.asarray(poses, float)]:
        heading = yaw + now.heading
        rear = now.rear_axle + [c * x - s * y, s * x + c * y]
        centers.append(rear + REAR_AXLE_TO_CENTER * np.array([math.cos(heading), math.sin(heading)]))
        headings.append(heading)
    velocities = [(b - a) / 0.1 for a, b in itertools.pairwise(centers)]
    rates = [(b - a) / 0.1 for a, b in itertools.pairwise(headings)]
    velocities.append(velocities[-1])
    rates.append(rates[-1])
    return centers[::5], headings[::5], velocities[::5], rates[::5]


def log_slice(track: dict, first: int, stop: int):
    state = track["state"]
    rates = angular_velocity(state)
    return (
        [np.array(p[:2], float) for p in state["position"][first:stop]],
        [float(h) for h in state["heading"][first:stop]],
        [np.array(v[:2], float) for v in state["velocity"][first:stop]],
        rates[first:stop],
    )


def angular_velocity(state: dict) -> list[float]:
    heading = [*state["heading"], state["heading"][-1]]
    return [
        wrap(b - a) / STEP if there else 0.0
        for a, b, there in zip(heading, heading[1:], state["valid"], strict=False)
    ]


def first_frame(scenario: dict) -> Frame:
    positions, headings, velocities, rates = log_slice(scenario["object_track"]["ego"], 0, 1)
    agents = {
        name: created(track, 0)
        for name, track in others(scenario)
        if any(run[0] == 0 for run in valid_runs(track))
    }
    return Frame(0, positions[0], headings[0], velocities[0], rates[0], np.zeros(2), agents)


def others(scenario: dict):
    for name, track in scenario["object_track"].items():
        if name != "ego" and track["type"] not in NEVER_CREATED:
            yield name, track


def valid_runs(track: dict) -> list[tuple[int, int]]:
    """Return the first and last index of each run of valid frames."""
    runs, start = [], None
    valid = [bool(v) for v in track["state"]["valid"]]
    for k, there in enumerate([*valid, False]):
        if there and start is None:
            start = k
        if not there and start is not None:
            runs.append((start, k - 1))
            start = None
    return runs


def created(track: dict, step: int) -> Agent:
    state = track["state"]
    return Agent(
        track["type"],
        step,
        np.array(state["position"][step][:2], float),
        float(state["heading"][step]),
        np.array(state["velocity"][step][:2], float),
        tuple(float(np.ravel(state[name])[step]) for name in ("length", "width", "height")),
    )


def after(scenario: dict, agents: dict[str, Agent], step: int) -> dict[str, Agent]:
    """Every agent takes the second sample of its log slice, then agents come and go."""
    tracks = dict(others(scenario))
    moved = {}
    for name, agent in agents.items():
        positions, headings, velocities, _ = log_slice(tracks[name], agent.traj_step, agent.traj_step + 5)
        k = 1 if len(positions) > 1 else 0
        moved[name] = Agent(
            agent.kind, agent.traj_step + 1, positions[k], headings[k], velocities[k], agent.size
        )
    for name, track in tracks.items():
        active = any(first <= step <= last for first, last in valid_runs(track))
        if not active:
            moved.pop(name, None)
        elif name not in moved:
            moved[name] = created(track, step)
    return moved
