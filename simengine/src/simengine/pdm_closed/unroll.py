"""Proposals step by step: each follows its path by the Intelligent Driver Model behind its leading object.

Source: the generator of PDM-Closed in NAVSIM v1.1, its slips included unless fresh leads are asked for.
`tests/oracles/pdm_closed_unroll.py` is the same in plain Python.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from simengine.datatypes.vehicle import VehicleParams
from simengine.pdm_closed.leads import Candidates, Obstacles
from simengine.pdm_closed.parameters import PdmClosedParameters
from simengine.pdm_closed.path import FIRST_DISTANCE, DrivePath
from simengine.pdm_closed.ring_distance import ring_distance


class Rules(NamedTuple):
    """The numbers of `PdmClosedParameters` and of the ego that the kernel needs."""

    min_gap: float
    headway: float
    max_acceleration: float
    max_deceleration: float
    exponent: float
    deadband: float
    dt: float
    refresh_every: int
    fresh_leads: bool
    half_length: float
    half_width: float
    rear_to_center: float


class Unrolled(NamedTuple):
    """K proposals along one path over S frames; rows are filled frame by frame.

    Attributes:
        idm: (K, S, 2) arc length [m] and speed [m/s].
        lead: (K, S, 3) arc length [m], speed [m/s] and rear length [m] of the leading object.
        poses: (K, S, 3) rear axle in world.
    """

    idm: np.ndarray
    lead: np.ndarray
    poses: np.ndarray

    def select(self, row: int) -> Unrolled:
        """Return one proposal; it shares its arrays with this one."""
        return Unrolled(*(array[row : row + 1] for array in self))


def rules_of(parameters: PdmClosedParameters, vehicle: VehicleParams) -> Rules:
    """Return the numbers of the kernel."""
    return Rules(
        parameters.min_gap,
        parameters.headway,
        parameters.max_acceleration,
        parameters.max_deceleration,
        parameters.exponent,
        parameters.acceleration_deadband,
        parameters.dt,
        parameters.refresh_every,
        parameters.fresh_leads,
        0.5 * vehicle.length,
        0.5 * vehicle.width,
        vehicle.rear_axle_to_center,
    )


def start_unrolling(path: DrivePath, state: np.ndarray, count: int, frames: int) -> Unrolled:
    """Return `count` proposals that stand at their first frame: the ego projected on the path, at its speed."""
    made = Unrolled(np.zeros((count, frames, 2)), np.zeros((count, frames, 3)), np.zeros((count, frames, 3)))
    made.idm[:, 0, 0] = along = path.project(state[:2])
    made.idm[:, 0, 1] = state[3]
    made.poses[:, 0] = path.interpolate(np.asarray(along))
    return made


def unroll(
    made: Unrolled,
    targets: np.ndarray,
    path: DrivePath,
    obstacles: Obstacles,
    candidates: Candidates,
    rules: Rules,
    first: int,
    last: int,
) -> None:
    """Fill frames `first`..`last` of proposals whose frame `first - 1` is known.

    Args:
        made: the proposals, changed in place.
        targets: (K,) speeds on a free road [m/s].
        path: what they drive along.
        obstacles: all of them.
        candidates: those that may lead on this path.
        rules: numbers.
        first: first frame to fill, at least 1.
        last: last frame to fill.
    """
    _unroll(made, targets, path.poses, path.along, obstacles, candidates, rules, first, last)


@njit(cache=True, nogil=True, error_model="numpy")
def _unroll(made, targets, path_poses, path_along, obstacles, candidates, rules, first, last):  # type: ignore[no-untyped-def]
    length = path_along[-1]
    for i in range(first, last + 1):
        if i % rules.refresh_every == 0 or (i == 1 and rules.fresh_leads):
            record = np.zeros(3)
            for k in range(len(targets)):
                if rules.fresh_leads:
                    record[:] = 0.0
                _refresh(
                    record,
                    made.idm[k, i - 1, 0],
                    made.poses[k, i - 1],
                    length,
                    i,
                    obstacles,
                    candidates,
                    rules,
                )
                made.lead[k, i] = record
        else:
            for k in range(len(targets)):
                made.lead[k, i] = made.lead[k, i - 1]
        for k in range(len(targets)):
            _advance(made.idm[k], made.lead[k, i], targets[k], rules, i)
            _pose_at(made.poses[k, i], path_poses, path_along, made.idm[k, i, 0])


@njit(cache=True, nogil=True, error_model="numpy")
def _refresh(record, along, pose, length, i, obstacles, candidates, rules):  # type: ignore[no-untyped-def]
    """Write the leading object into `record`; what it does not say stays as it was."""
    frame = i // rules.refresh_every
    ego = _rectangle(pose, rules)
    nearest, lead = math.inf, -1
    for c in range(candidates.index.shape[1]):
        a = candidates.index[frame, c]
        if a < 0 or candidates.along[frame, c] <= along:
            continue
        ring = obstacles.points[obstacles.offsets[a] : obstacles.offsets[a + 1]]
        shift = obstacles.drift[a] * (frame * rules.refresh_every * rules.dt)
        gap = ring_distance(ego, ring, shift[0], shift[1])
        if gap < nearest:
            nearest, lead = gap, a
    if lead < 0:
        record[0], record[2] = length, rules.half_length
        return
    record[0] = along + nearest
    if not math.isnan(obstacles.speed[lead]):
        record[1] = obstacles.speed[lead] * math.cos(obstacles.heading[lead] - pose[2])


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(idm, lead, target, rules, i):  # type: ignore[no-untyped-def]
    x, v = idm[i - 1, 0], idm[i - 1, 1]
    braking = 2.0 * math.sqrt(rules.max_acceleration * rules.max_deceleration)
    wanted = rules.min_gap + rules.headway * v + v * (v - lead[1]) / braking
    gap = max(lead[0] - x - lead[2], rules.min_gap)
    a = rules.max_acceleration * (1.0 - (v / target) ** rules.exponent - (wanted / gap) ** 2)
    if abs(a) < rules.deadband:
        a = 0.0
    a = min(max(a, -rules.max_deceleration), rules.max_acceleration)
    idm[i, 0] = x + rules.dt * v
    idm[i, 1] = v + rules.dt * a


@njit(cache=True, nogil=True, error_model="numpy")
def _pose_at(out, poses, along, distance):  # type: ignore[no-untyped-def]
    at = min(max(distance, FIRST_DISTANCE), along[-1])
    k = min(max(np.searchsorted(along, at), 1), len(along) - 1)
    share = (at - along[k - 1]) / (along[k] - along[k - 1])
    for c in range(3):
        value = poses[k - 1, c] + share * (poses[k, c] - poses[k - 1, c])
        out[c] = 0.0 if math.isnan(value) else value
    out[2] = math.atan2(math.sin(out[2]), math.cos(out[2]))


@njit(cache=True, nogil=True, error_model="numpy")
def _rectangle(pose, rules):  # type: ignore[no-untyped-def]
    c, s = math.cos(pose[2]), math.sin(pose[2])
    x, y = pose[0] + rules.rear_to_center * c, pose[1] + rules.rear_to_center * s
    corners = np.empty((4, 2))
    for k in range(4):
        along = rules.half_length if k in (0, 3) else -rules.half_length
        left = rules.half_width if k < 2 else -rules.half_width
        corners[k, 0] = x + along * c - left * s
        corners[k, 1] = y + along * s + left * c
    return corners
