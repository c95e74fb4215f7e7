"""Where the paths of two vehicles get in each other's way.

A conflict area is a stretch of two paths on which the bodies of both vehicles would touch: the paths cross, or they
come from different places and merge. Paths that run together from the start of either are no conflict: there one
follows the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from simengine.agents.conflict_bodies import pieces, swept_half_width
from simengine.agents.conflict_search import WIDTH, find_areas
from simengine.agents.conflict_stops import STANDING_GAP, STOP_BEFORE, stopping_places
from simengine.agents.paths import PathSet

__all__ = ["STANDING_GAP", "STOP_BEFORE", "Conflicts", "find_conflicts"]

# Rows of a path between two tests, about a metre.
STRIDE = 2


@dataclass(frozen=True)
class Conflicts:
    """C conflict areas, each between a first and a second path.

    All arrays but `merges` and `shift` have shape (C, 2): first and second path.

    Attributes:
        row: index of the paths.
        enter: arc length at which a point reaches the area [m]; a vehicle does so with its front bumper.
        leave: arc length at which it leaves it, with its rear bumper; where paths merge, where they have joined.
        stop: arc length at which the front bumper should wait, so that it stands in nobody's way [m].
        merges: (C,) bool, whether the paths go on together.
        shift: (C,) arc length on the first path minus that on the second at the place where both are nearest [m].
    """

    row: np.ndarray
    enter: np.ndarray
    leave: np.ndarray
    stop: np.ndarray
    merges: np.ndarray
    shift: np.ndarray

    def select(self, mask: np.ndarray) -> Conflicts:
        """Return the areas where `mask` (C,) is true."""
        return Conflicts(*(getattr(self, item.name)[mask] for item in fields(self)))


def find_conflicts(
    paths: PathSet,
    half_width: np.ndarray,
    length: np.ndarray,
    lines: Sequence[np.ndarray] | None = None,
    order: np.ndarray | None = None,
) -> Conflicts:
    """Return all conflict areas of `paths`.

    Args:
        paths: one path for each vehicle.
        half_width: (P,) half width of each vehicle [m].
        length: (P,) length of each vehicle [m].
        lines: arc lengths (K,) [m] of stop lines on each path: who waits, waits there.
        order: (P,) the paths in the order in which a pair's first and second are told apart, by default as given.
    """
    half_width, length = np.ascontiguousarray(half_width), np.ascontiguousarray(length)
    order = np.arange(len(paths.count)) if order is None else np.asarray(order)
    coarse = paths.every(STRIDE)
    points = coarse.points.copy()
    points[:, WIDTH] = swept_half_width(coarse.flat, half_width, 0.5 * length)
    start, count, owner, base = np.ascontiguousarray(pieces(coarse.flat, order).T)
    found = find_areas(points, start, count, coarse.step[owner], owner, base)
    row, enter, leave, merges = (
        found[:, 0:2].astype(np.int64),
        found[:, 2:4],
        found[:, 4:6],
        found[:, 6] > 0.5,
    )
    lines = [np.zeros(0)] * len(paths.count) if lines is None else lines
    stop = stopping_places(
        row.ravel(),
        enter.ravel(),
        leave.ravel(),
        np.repeat(~merges, 2),
        length,
        np.concatenate([np.zeros(0), *lines]),
        np.cumsum([0, *(len(one) for one in lines)]),
    )
    return Conflicts(row, enter, leave, stop.reshape(-1, 2), merges, found[:, 7])
