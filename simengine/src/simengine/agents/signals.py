"""Traffic lights as places to stop along paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from simengine.agents.conflicts import STOP_BEFORE, Conflicts
from simengine.agents.paths import Path, logged_speed
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.datatypes.map import VectorMap
from simengine.geometry import polyline

LANE_TOLERANCE = 2.0
# Braking harder than this for a light that just changed is more dangerous than driving on.
DILEMMA_DECELERATION = 4.0
STOP_BEFORE_LINE = 1.0
ROLLED_THROUGH = 1.0
HALTING_PLACE = 1.2
HALTING_SPEED = 0.2
STARTING_ACCELERATION = 2.0
PULL_BACK = 6.0


@dataclass(frozen=True)
class Signals:
    """Every place where a path meets a light.

    Attributes:
        row: (K,) index of the path.
        light: (K,) index of the light.
        s: (K,) arc length of the stop point on the path [m].
    """

    row: np.ndarray
    light: np.ndarray
    s: np.ndarray


@dataclass(frozen=True)
class Signs:
    """Every place where a path meets a stop sign.

    Attributes:
        row: (K,) index of the path.
        s: (K,) arc length of the stop line on the path [m].
    """

    row: np.ndarray
    s: np.ndarray


NO_SIGNS = Signs(np.zeros(0, np.int64), np.zeros(0))
"""Nobody has to stop."""


def stop_distance(path: Path, lane_line: np.ndarray, stop_point: np.ndarray) -> float | None:
    """Return where `path` stops for the light of a lane, as arc length [m]; None if it does not drive there.

    Args:
        path: the path.
        lane_line: (N, 2) centreline of the controlled lane.
        stop_point: (2,) in world, NaN where unknown: then the start of the lane counts.
    """
    line = path.poses[:, :2]
    probe = lane_line[[0, len(lane_line) // 2, -1]]
    direction = polyline.headings(lane_line)[[0, len(lane_line) // 2, -1]]
    s, offset = polyline.project(line, probe)
    yaw = path.poses[np.clip(np.round(s / path.step).astype(int), 0, len(path.poses) - 1), 2]
    inside = (s > 0.0) & (s < path.length)
    # The entry may lie behind the start of the path, and the exit beyond its end; the middle decides.
    fits = (np.abs(offset) < LANE_TOLERANCE) & (np.cos(yaw - direction) > 0.8)
    if not (inside[1:].any() and fits[inside].all() and fits[1]):
        return None
    if np.isfinite(stop_point).all():
        at, side = polyline.project(line, stop_point)
        if abs(side) < 2.0 * LANE_TOLERANCE and at > 0.0:
            return float(at)
    return float(s[0]) if s[0] > 0.0 else None


def find_signals(
    paths: list[Path], rows: np.ndarray, lights: TrafficLights, vector_map: VectorMap
) -> Signals:
    """Return where each of `paths` (belonging to path `rows`) meets each light whose lane the map knows."""
    found: list[tuple[int, int, float]] = []
    for light, lane_id in enumerate(lights.lane_ids):
        lane = vector_map.lanes.get(lane_id)
        if lane is None or len(lane.centerline) < 2:
            continue
        middle = lane.centerline[len(lane.centerline) // 2]
        for row, path in zip(rows, paths, strict=True):
            if np.abs(path.poses[::4, :2] - middle).sum(axis=1).min() > 4.0 * LANE_TOLERANCE:
                continue
            s = stop_distance(path, lane.centerline, lights.stop_point[light])
            if s is not None:
                found.append((int(row), light, s))
    table = np.array(found, dtype=np.float64).reshape(-1, 3)
    return Signals(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2])


def must_stop(state: np.ndarray) -> np.ndarray:
    """Return which light states (...) forbid entering."""
    return (state == LightState.RED) | (state == LightState.YELLOW)


def stop_gap(distance: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """Return the distance (...) [m] to a stop point that is to be respected, infinity where it is too late.

    Args:
        distance: from the front bumper to the stop point, negative once past it [m].
        speed: [m/s].
    """
    needed = speed**2 / (2.0 * np.maximum(distance, 0.5))
    return np.where((distance > -0.5) & (needed < DILEMMA_DECELERATION), np.maximum(distance, 0.1), np.inf)


def find_signs(paths: Sequence[Path], lines: Sequence[np.ndarray]) -> Signs:
    """Return the stop signs on `paths`, given the arc lengths (K,) [m] of the stop lines on each.

    Where the log drove on it knows better: stop lines may belong to a light or to somebody else.
    """
    found = [
        (row, s)
        for row, (path, at) in enumerate(zip(paths, lines, strict=True))
        for s, speed in zip(at, logged_speed(path, at), strict=True)
        if speed < ROLLED_THROUGH
    ]
    table = np.array(found, np.float64).reshape(-1, 2)
    return Signs(table[:, 0].astype(np.int64), table[:, 1])


@njit(cache=True, nogil=True, error_model="numpy")
def has_stopped(distance, speed):  # type: ignore[no-untyped-def]
    """Return whether somebody `distance` before a stop line has halted there, or has started again since.

    Nothing is remembered: who is this slow this close has stopped, and who is faster, but not faster than he can
    have become since, has too.
    """
    progress = HALTING_PLACE - distance
    return progress >= 0.0 and speed * speed <= HALTING_SPEED**2 + 2.0 * STARTING_ACCELERATION * progress


def before_conflicts(row: np.ndarray, s: np.ndarray, conflicts: Conflicts) -> np.ndarray:
    """Return stopping places `s` (K,) on paths `row` (K,), moved to where who stands there is in nobody's way.

    Conflict areas reach across a stop line where long vehicles swing out.
    """
    moved = s.copy()
    for k in range(len(s)):
        mine = (conflicts.row == row[k]) & ~conflicts.merges[:, None]
        across = (
            mine & (conflicts.enter < s[k]) & (conflicts.leave > s[k]) & (conflicts.enter > s[k] - PULL_BACK)
        )
        moved[k] = min(s[k], conflicts.enter[across].min(initial=np.inf) - STOP_BEFORE)
    return moved
