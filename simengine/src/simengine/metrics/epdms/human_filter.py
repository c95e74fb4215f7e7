"""The human penalty filter: nobody loses points for what the logged driver could not do either."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from simengine.metrics.epdms.aggregate import EXTENDED_COMFORT, SUB_SCORES

FILTERED = tuple(name for name in SUB_SCORES if name != EXTENDED_COMFORT)


def excuse(columns: Mapping[str, np.ndarray], human: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the columns with 1 wherever the human gets exactly 0; half a point of the human excuses nothing.

    The score has to be aggregated anew. Extended comfort compares two frames and is never excused.

    Args:
        columns: (P,) each, by the names of `SUB_SCORES`.
        human: the sub-scores of the logged drive, scored alone and without a past.
    """
    excused = dict(columns)
    for name in FILTERED:
        if human[name] == 0.0:
            excused[name] = np.ones_like(columns[name])
    return excused
