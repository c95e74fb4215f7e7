"""Which frame comes before which: the pairs of one-stage evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simengine.metrics.epdms.parameters import EPDMS, EpdmsParameters


def preceding_frames(
    log_names: Sequence[str], start_times: np.ndarray, parameters: EpdmsParameters = EPDMS
) -> np.ndarray:
    """Return the row (N,) of the frame before each frame of the same log, -1 without one.

    A frame with no other frame at most `longest_pair_time` before it has none; it loses extended comfort.

    Args:
        log_names: N names of drives.
        start_times: (N,) [s].
        parameters: longest time between the frames of a pair.
    """
    names, times = np.asarray(log_names), np.asarray(start_times, dtype=np.float64)
    before = np.full(len(times), -1)
    if len(times) < 2:
        return before
    order = np.lexsort((times, names))
    same = names[order][1:] == names[order][:-1]
    close = np.diff(times[order]) <= parameters.longest_pair_time
    before[order[1:][same & close]] = order[:-1][same & close]
    return before
