"""Who was where first in the log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.agents.paths import Path

LOG_ENCOUNTER = 8.0


class LogOrder:
    """Orders in the log at C conflict areas.

    Args:
        paths: P paths.
        row: (C, 2) the two paths of each area.
        enter: (C, 2) arc lengths at which they enter it [m].
        leave: (C, 2) arc lengths at which they leave it [m].
    """

    def __init__(self, paths: Sequence[Path], row: np.ndarray, enter: np.ndarray, leave: np.ndarray) -> None:
        self._paths, self._row, self._enter = paths, row, enter
        self._entered, self._left = self._times(enter), self._times(leave)

    @property
    def order(self) -> np.ndarray:
        """Return who entered first (C,): 1 for the first path, -1 for the second.

        0 unless the log saw one of them enter, and either the other within 8 s of it or, at that time, the other
        before the area.
        """
        seen, time = np.isfinite(self._entered), self._entered
        apart = np.where(seen.all(axis=1), time[:, 1] - time[:, 0], 0.0)
        both = np.where(np.abs(apart) > LOG_ENCOUNTER, 0, np.sign(apart)).astype(np.int64)
        ahead = [seen[:, k] & self._is_before(1 - k, time[:, k]) for k in (0, 1)]
        return np.where(seen.all(axis=1), both, np.where(ahead[0], 1, np.where(ahead[1], -1, 0)))

    @property
    def side_by_side(self) -> np.ndarray:
        """Return whether the log saw both in the area at the same time (C,), and so in nobody's way."""
        entered, left = self._entered, self._left
        return (
            (entered[:, 0] < left[:, 1])
            & (entered[:, 1] < left[:, 0])
            & np.isfinite(entered + left).all(axis=1)
        )

    def _times(self, s: np.ndarray) -> np.ndarray:
        """Return when the log passed arc lengths `s` (C, 2) [s], NaN where it did not."""
        row, s = self._row.ravel(), s.ravel()
        times, order = np.full(len(row), np.nan), np.argsort(row, kind="stable")
        bounds = np.searchsorted(row[order], np.arange(len(self._paths) + 1))
        for path, begin, end in zip(self._paths, bounds[:-1], bounds[1:], strict=True):
            if path.log is None or begin == end:
                continue
            at, known = s[order[begin:end]], path.log
            inside = (known[0, 0] < at) & (at <= known[-1, 0])
            times[order[begin:end]] = np.where(inside, np.interp(at, known[:, 0], known[:, 1]), np.nan)
        return times.reshape(-1, 2)

    def _is_before(self, side: int, time: np.ndarray) -> np.ndarray:
        """Return which logs of one side do not reach the area, but were on their way to it at `time` (C,)."""
        none = (np.inf, np.nan, np.nan)
        ends = np.array(
            [none if path.log is None else (path.log[-1, 0], *path.log[[0, -1], 1]) for path in self._paths]
        ).reshape(-1, 3)
        last, begin, end = ends[self._row[:, side]].T
        return (last < self._enter[:, side]) & (begin <= time) & (time <= end + LOG_ENCOUNTER)
