"""Which lane fits a pose best: the nearest of the right direction."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from simengine.agents.lane_lines import LaneLines
from simengine.geometry.angles import wrap

CANDIDATES = 32
MAX_TURN = np.pi / 4
TURN_COST = 2.0
CELL = 3.5
# Costs closer than this count as equal.
TIE = 1e-9
UNSURE = -2
# More than there are rows of cells in a column.
COLUMN = np.int64(2**31)


class NearestLane:
    """Looks up the lanes under many poses.

    Of the 32 vertices nearest to a pose, the cheapest counts: distance [m] plus twice the turn [rad]. A grid answers
    for nearly all poses; where it cannot be sure to agree with the tree, at ties and in crowds, the tree is asked.

    Args:
        vertices: the lanes with evenly spaced vertices.
    """

    def __init__(self, vertices: LaneLines) -> None:
        self._points, self._heading = vertices.points, vertices.heading
        self._owner = np.repeat(np.arange(len(vertices.start) - 1), np.diff(vertices.start))
        self._tree = cKDTree(vertices.points) if len(vertices.points) else None
        self._grid = _grid(vertices.points) if len(vertices.points) else None

    def lanes(self, poses: np.ndarray, max_distance: float) -> np.ndarray:
        """Return the lane (N,) that fits each of `poses` (N, 3) best within `max_distance` [m], -1 where none does."""
        if self._tree is None or not len(poses):
            return np.full(len(poses), -1)
        if max_distance + TIE > CELL:
            return self.lanes_by_tree(poses, max_distance)
        found = _look_up(self._points, self._heading, self._owner, *self._grid, poses, max_distance)
        unsure = np.flatnonzero(found == UNSURE)
        if len(unsure):
            found[unsure] = self.lanes_by_tree(poses[unsure], max_distance)
        return found

    def lanes_by_tree(self, poses: np.ndarray, max_distance: float) -> np.ndarray:
        """Return what `lanes` returns, by the tree alone."""
        count = min(CANDIDATES, len(self._owner))
        distance, vertex = self._tree.query(
            poses[:, :2], k=np.arange(1, count + 1), distance_upper_bound=max_distance
        )
        known = np.minimum(vertex, len(self._owner) - 1)
        turn = np.abs(wrap(self._heading[known] - poses[:, 2:3]))
        cost = np.where(np.isfinite(distance) & (turn < MAX_TURN), distance + TURN_COST * turn, np.inf)
        best = np.argmin(cost, axis=1)
        row = np.arange(len(poses))
        return np.where(np.isfinite(cost[row, best]), self._owner[known[row, best]], -1)


def _grid(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points (N,) sorted by cell, the cells' keys (K,) in order, and where each begins (K + 1,)."""
    key = _cell(points[:, 0]) * COLUMN + _cell(points[:, 1])
    order = np.argsort(key, kind="stable")
    keys, begin = np.unique(key[order], return_index=True)
    return order, keys, np.append(begin, len(points))


def _cell(value: np.ndarray) -> np.ndarray:
    return np.floor(value / CELL).astype(np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def _look_up(points, heading, owner, order, keys, begin, poses, reach):  # type: ignore[no-untyped-def]
    """Return the lane (N,) under each pose, -1 where there is none, `UNSURE` where the tree has to say."""
    found = np.full(len(poses), -1)
    for i in range(len(poses)):
        x, y, yaw = poses[i, 0], poses[i, 1], poses[i, 2]
        best, second, lane, count, close = np.inf, np.inf, -1, 0, False
        column, row = int(np.floor(x / CELL)), int(np.floor(y / CELL))
        for c in range(column - 1, column + 2):
            # The three cells of a column have neighbouring keys.
            k = np.searchsorted(keys, c * COLUMN + row - 1)
            while k < len(keys) and keys[k] <= c * COLUMN + row + 1:
                for at in order[begin[k] : begin[k + 1]]:
                    distance = np.hypot(points[at, 0] - x, points[at, 1] - y)
                    if distance >= reach + TIE:
                        continue
                    count += 1
                    turn = abs((heading[at] - yaw + np.pi) % (2.0 * np.pi) - np.pi)
                    close = close or distance > reach - TIE or abs(turn - MAX_TURN) < TIE
                    if turn >= MAX_TURN:
                        continue
                    cost = distance + TURN_COST * turn
                    if owner[at] == lane:
                        best = min(best, cost)
                    elif cost < best:
                        best, second, lane = cost, best, owner[at]
                    else:
                        second = min(second, cost)
                k += 1
        tied = second - best < TIE
        found[i] = UNSURE if close or tied or count > CANDIDATES else lane
    return found
