"""Who does what in reactive traffic: which agents drive, stand or replay, and along which paths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from simengine.agents.approaches import lanes_along
from simengine.agents.junctions import Junctions
from simengine.agents.lanes import LaneGraph, hashed, hashed_fork, on_route
from simengine.agents.overlaps import overlaps_in_log
from simengine.agents.paths import Path, logged_path
from simengine.agents.right_of_way import RightOfWay, make_right_of_way
from simengine.agents.signals import NO_SIGNS, Signals, Signs, before_conflicts, find_signals, find_signs
from simengine.agents.waits import NO_WAITS, Waits, find_waits
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.geometry import boxes, se2
from simengine.scenario.scenario import Scenario


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
        paths: one path for each driving agent, and one for the ego if `ego_row` says so.
        path_row: (A,) index into `paths`, -1 where an agent does not drive.
        signals: where the paths meet lights; `Signals.row` indexes `paths`.
        ignore: (A, A + 1) bool, pairs (agent, other; the ego last) that overlap in the log itself.
        right_of_way: who goes first where paths conflict; None leaves it to who is foreseen to be there first.
        ego_row: index of the path the ego is expected to follow, -1 if it is not known.
        walks: (A,) bool, who follows the log but stops for vehicles in the way; None for nobody.
        bold: (A,) bool, who of these stops for standing vehicles only; None for nobody.
        waits: where drivers wait as they did in the log.
        gone: (A,) frame from which on a vehicle that stands is not there any more; None keeps all.
        signs: where paths meet stop signs.
    """

    role: np.ndarray
    paths: tuple[Path, ...]
    path_row: np.ndarray
    signals: Signals
    ignore: np.ndarray
    right_of_way: RightOfWay | None = None
    ego_row: int = -1
    walks: np.ndarray | None = None
    bold: np.ndarray | None = None
    waits: Waits = NO_WAITS
    gone: np.ndarray | None = None
    signs: Signs = NO_SIGNS


def make_roster(scenario: Scenario, seed: int = 0) -> Roster:
    """Return the roster read off the log of `scenario`.

    Vehicles that move forward drive along their own track and then along the lanes; vehicles that never
    move stand; everyone else replays, and so do the vehicles named in `scenario.tags["scripted"]`. Pedestrians and
    cyclists stop for vehicles, the scripted ones only for vehicles that stand.

    Args:
        scenario: the scenario.
        seed: decides, with the names of scenario, agent and lane, which way to go at forks.
    """
    graph, log = LaneGraph(scenario.map), scenario.agents
    role, paths, path_row = _drivers(scenario, graph, seed)
    owners = [int(i) for i in np.argsort(path_row) if path_row[i] >= 0]
    ego_row = -1
    expected = _ego_path(scenario, graph)
    if expected is not None and paths:
        ego_row = len(paths)
        paths.append(expected)
    lanes = lanes_along(paths, graph)
    used = set().union(*(one.lanes for one in lanes))
    junctions = Junctions(scenario.map, graph, scenario.lights, used)
    size = np.array([log.size[i, :2] for i in owners], np.float64).reshape(-1, 2)
    names = [log.ids[i] for i in owners]
    if ego_row >= 0:
        size = np.concatenate([size, [[scenario.vehicle.length, scenario.vehicle.width]]])
        names.append("ego")
    rules = make_right_of_way(paths, size, _rank(names, seed, scenario.token), lanes, junctions)
    signals = find_signals(paths, np.arange(len(paths)), scenario.lights, scenario.map)
    signs = find_signs(paths, [one.passes(junctions.stop_signs) for one in lanes])
    return Roster(
        role,
        tuple(paths),
        path_row,
        replace(signals, s=before_conflicts(signals.row, signals.s, rules.conflicts)),
        overlaps_in_log(scenario),
        rules,
        ego_row,
        np.isin(log.types, (AgentType.PEDESTRIAN, AgentType.CYCLIST)),
        np.isin(log.ids, scenario.tags.get("scripted", ())),
        find_waits(scenario, paths[: len(owners)], owners),
        _gone(scenario, role),
        replace(signs, s=before_conflicts(signs.row, signs.s, rules.conflicts)),
    )


def _drivers(scenario: Scenario, graph: LaneGraph, seed: int) -> tuple[np.ndarray, list[Path], np.ndarray]:
    """Roles (A,), paths of those who drive, and rows (A,) into the paths."""
    scripted, log = set(scenario.tags.get("scripted", ())), scenario.agents
    role = np.full(log.num_agents, int(Role.REPLAY), np.int64)
    paths: list[Path] = []
    path_row = np.full(log.num_agents, -1, np.int64)
    for i in range(log.num_agents):
        if log.types[i] != AgentType.VEHICLE or log.ids[i] in scripted or not log.valid[i].any():
            continue
        choose = hashed_fork(seed, scenario.token, log.ids[i])
        path = logged_path(log.pose[i], log.valid[i], scenario.dt, graph, choose)
        role[i] = Role.STAND if path is None else Role.DRIVE
        if path is not None and _goes_backward(log, i):
            role[i] = Role.REPLAY
        elif path is not None:
            path_row[i] = len(paths)
            paths.append(path)
    return role, paths, path_row


def _gone(scenario: Scenario, role: np.ndarray) -> np.ndarray:
    """Return the frames (A,) from which on the log drives through the places of vehicles that stood there.

    Tracks often end when a standing vehicle moves off; followers would wait behind it for ever.
    """
    log, never = scenario.agents, np.iinfo(np.int64).max
    gone = np.full(log.num_agents, never)
    last = log.num_frames - 1 - np.argmax(log.valid[:, ::-1], axis=1)
    for i in np.flatnonzero((role == Role.STAND) & (last < log.num_frames - 1)):
        place = boxes.corners(log.pose[i, last[i]], log.size[i, 0], log.size[i, 1])
        others = np.flatnonzero((role != Role.STAND) & (log.types == AgentType.VEHICLE))
        later = log.pose[others, last[i] + 1 :: 2]
        near = log.valid[others, last[i] + 1 :: 2]
        near &= np.hypot(*(later[..., :2] - log.pose[i, last[i], :2]).transpose(2, 0, 1)) < log.size[i, 0]
        if not near.any():
            continue
        size = np.repeat(log.size[others, None, :2], later.shape[1], axis=1)[near]
        if boxes.overlap(boxes.corners(later[near], size[:, 0], size[:, 1]), place).any():
            gone[i] = last[i] + 1
    return gone


def _ego_path(scenario: Scenario, graph: LaneGraph) -> Path | None:
    """The way the ego is expected to go: that of its log, then of its route."""
    centre = se2.shift_forward(scenario.ego.pose, scenario.vehicle.rear_axle_to_center)
    return logged_path(centre, np.ones(len(centre), bool), scenario.dt, graph, on_route(scenario.route))


def _rank(names: list[str], seed: int, token: str) -> np.ndarray:
    order = sorted(range(len(names)), key=lambda k: (hashed(seed, token, names[k]), names[k]))
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return rank


def _goes_backward(log: AgentTracks, row: int) -> bool:
    pose = log.pose[row, log.valid[row]]
    step = np.diff(pose[:, :2], axis=0)
    forward = (step * np.stack([np.cos(pose[:-1, 2]), np.sin(pose[:-1, 2])], axis=1)).sum(axis=1)
    return bool(forward.sum() < 0.0)
