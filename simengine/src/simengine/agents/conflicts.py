"""Where the paths of two vehicles get in each other's way.

A conflict area is a stretch of two paths on which the bodies of both vehicles would touch: the paths cross, or they
come from different places and merge. Paths that run together from the start of either are no conflict: there one
follows the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy.ndimage import maximum_filter1d

from simengine.agents.conflict_search import WIDTH, find_areas
from simengine.agents.paths import PathSet

# A path that has turned this much may come by where it was before.
LAP = 1.5 * np.pi
# Rows of a path between two tests, about a metre.
STRIDE = 2
STOP_BEFORE = 0.3
# A vehicle that waits stands this far before its stopping place, bumper to place.
STANDING_GAP = 1.0
MAX_PULL_BACK = 30.0
LINE_REACH = 25.0


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
    order = np.arange(len(paths.count)) if order is None else np.asarray(order)
    coarse = paths.every(STRIDE)
    widths = [
        _swept_half_width(coarse.points[first : first + n, :3], step, half, 0.5 * long)
        for first, n, step, half, long in zip(*coarse.flat[1:], half_width, length, strict=True)
    ]
    points = coarse.points.copy()
    points[:, WIDTH] = np.concatenate(widths) if widths else 0.0
    found = find_areas(points, *_pieces(points, coarse, order))
    enter, leave = found[:, 2:4], found[:, 4:6]
    conflicts = Conflicts(
        found[:, 0:2].astype(np.int64), enter, leave, enter - STOP_BEFORE, found[:, 6] > 0.5, found[:, 7]
    )
    return replace(conflicts, stop=_stopping_places(conflicts, length, lines))


def _pieces(points: np.ndarray, paths: PathSet, order: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return start, count, step, path and first row of the path of pieces that do not come by the same place twice."""
    found = []
    for path in order:
        first, count = int(paths.start[path]), int(paths.count[path])
        turned = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(points[first : first + count, 2])))])
        lap = (turned // LAP).astype(np.int64)
        begins = np.flatnonzero(np.diff(lap, prepend=-1))
        for begin, end in zip(begins, [*begins[1:], count], strict=True):
            found.append((first + begin, end - begin, path, begin))
    table = np.array(found, np.int64).reshape(-1, 4)
    return table[:, 0], table[:, 1], paths.step[table[:, 2]], table[:, 2], table[:, 3]


def _swept_half_width(poses: np.ndarray, step: float, half_width: float, half_length: float) -> np.ndarray:
    """Return how far to each side (N,) a vehicle reaches that follows `poses` (N, 3): its ends swing out in bends."""
    reach = max(round(half_length / step), 1)
    index = np.arange(len(poses))
    swing = np.zeros(len(poses))
    for end in (np.minimum(index + reach, len(poses) - 1), np.maximum(index - reach, 0)):
        x, y = (poses[end, :2] - poses[:, :2]).T
        swing = np.maximum(swing, np.abs(y * np.cos(poses[:, 2]) - x * np.sin(poses[:, 2])))
    return half_width + maximum_filter1d(swing, 2 * reach + 1, mode="nearest")


def _stopping_places(
    conflicts: Conflicts, length: np.ndarray, lines: Sequence[np.ndarray] | None
) -> np.ndarray:
    """Return stopping places (C, 2) at lines and out of the way of everybody who crosses."""
    row, crosses = conflicts.row.ravel(), np.repeat(~conflicts.merges, 2)
    enter, leave, stop = (a.ravel() for a in (conflicts.enter, conflicts.leave, conflicts.stop))
    pulled = stop.copy()
    for k, path in enumerate(row if lines is not None else ()):
        before = lines[path][(lines[path] < stop[k]) & (lines[path] > stop[k] - LINE_REACH)]
        pulled[k] = before.min(initial=stop[k])
    for path in np.unique(row):
        own = np.flatnonzero(row == path)
        areas = own[crosses[own]]
        areas = areas[np.argsort(-enter[areas], kind="stable")]
        for k in own:
            for area in areas:
                rear = pulled[k] - STANDING_GAP - length[path]
                if (
                    enter[area] < pulled[k]
                    and leave[area] > rear
                    and enter[area] - STOP_BEFORE > stop[k] - MAX_PULL_BACK
                ):
                    pulled[k] = min(pulled[k], enter[area] - STOP_BEFORE)
    return pulled.reshape(-1, 2)
