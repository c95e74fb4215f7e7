"""Who does what in reactive traffic: which agents drive, stand or replay, and along which paths."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from simengine.agents.paths import LaneGraph, Path, logged_knots, make_path
from simengine.agents.signals import Signals, find_signals
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.geometry import boxes, se2
from simengine.scenario.scenario import Scenario

MOVING_DISTANCE = 2.0
EXTENSION_TIME = 20.0
OVERLAP_STRIDE_S = 0.5


class Role(IntEnum):
    """What an agent does in reactive traffic."""

    REPLAY = 0
    STAND = 1
    DRIVE = 2


@dataclass(frozen=True)
class Roster:
    """The constants of reactive traffic.

    Attributes:
        role: (A,) of `Role`.
        paths: one path for each driving agent.
        path_row: (A,) index into `paths`, -1 where an agent does not drive.
        signals: where the paths meet lights; `Signals.row` indexes `paths`.
        ignore: (A, A + 1) bool, pairs (driver, other; the ego last) that overlap in the log itself.
    """

    role: np.ndarray
    paths: tuple[Path, ...]
    path_row: np.ndarray
    signals: Signals
    ignore: np.ndarray


def make_roster(scenario: Scenario) -> Roster:
    """Return the roster read off the log of `scenario`.

    Vehicles that move forward drive along their own track and then along the lanes; vehicles that never
    move stand; everyone else replays, and so do the vehicles named in `scenario.tags["scripted"]`.
    """
    graph = LaneGraph(scenario.map)
    scripted = set(scenario.tags.get("scripted", ()))
    log = scenario.agents
    role = np.full(log.num_agents, int(Role.REPLAY), np.int64)
    paths: list[Path] = []
    path_row = np.full(log.num_agents, -1, np.int64)
    for i in range(log.num_agents):
        if log.types[i] != AgentType.VEHICLE or log.ids[i] in scripted or not log.valid[i].any():
            continue
        path = logged_path(log.pose[i], log.valid[i], scenario.dt, graph)
        role[i] = Role.STAND if path is None else Role.DRIVE
        if path is not None and _goes_backward(log, i):
            role[i] = Role.REPLAY
        elif path is not None:
            path_row[i] = len(paths)
            paths.append(path)
    rows = np.arange(len(paths))
    signals = find_signals(paths, rows, scenario.lights, scenario.map)
    return Roster(role, tuple(paths), path_row, signals, overlaps_in_log(scenario))


def logged_path(pose: np.ndarray, valid: np.ndarray, dt: float, graph: LaneGraph) -> Path | None:
    """Return the path of a track (T, 3), extended along the lanes; None if the track never moves."""
    seen = pose[valid]
    if np.linalg.norm(seen[:, :2] - seen[0, :2], axis=1).max() < MOVING_DISTANCE:
        return None
    knots, speed = logged_knots(pose, valid, dt)
    limit = np.nanmax([graph.speed_limit(graph.nearest(knots[0])), speed.max(), 3.0])
    beyond = graph.extend(knots[-1], limit * EXTENSION_TIME)
    poses = np.concatenate([knots, beyond])
    floor = np.concatenate([speed, np.zeros(len(beyond))])
    return make_path(poses, limit, floor)


def _goes_backward(log: AgentTracks, row: int) -> bool:
    pose = log.pose[row, log.valid[row]]
    step = np.diff(pose[:, :2], axis=0)
    forward = (step * np.stack([np.cos(pose[:-1, 2]), np.sin(pose[:-1, 2])], axis=1)).sum(axis=1)
    return bool(forward.sum() < 0.0)


def overlaps_in_log(scenario: Scenario, every: float = OVERLAP_STRIDE_S) -> np.ndarray:
    """Return which pairs (A, A + 1) overlap in the log, looked at `every` seconds; the last column is the ego.

    Boxes in real logs are not exact. A driver who brakes for a box that its own log drives through would
    stand there for ever.
    """
    log, vehicle = scenario.agents, scenario.vehicle
    stride = max(round(every / scenario.dt), 1)
    ego = se2.shift_forward(scenario.ego.pose, vehicle.rear_axle_to_center)
    pairs = np.zeros((log.num_agents, log.num_agents + 1), bool)
    for frame in range(0, log.num_frames, stride):
        index = np.append(np.flatnonzero(log.valid[:, frame]), log.num_agents)
        pose = np.concatenate([log.pose[:, frame], ego[frame : frame + 1]])[index]
        size = np.concatenate([log.size[:, :2], [[vehicle.length, vehicle.width]]])[index]
        near = np.hypot(*(pose[:, None, :2] - pose[None, :, :2]).transpose(2, 0, 1))
        reach = np.hypot(size[:, 0], size[:, 1])
        a, b = np.nonzero(near < 0.5 * (reach[:, None] + reach[None, :]))
        keep = (a != b) & (index[a] < log.num_agents)
        a, b = a[keep], b[keep]
        corners = boxes.corners(pose, size[:, 0], size[:, 1])
        hit = boxes.overlap(corners[a], corners[b])
        pairs[index[a[hit]], index[b[hit]]] = True
    return pairs
