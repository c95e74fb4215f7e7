"""Which decisions of a rollout are worth training on (reference: algengine.md 4.8)."""

from __future__ import annotations

import numpy as np

FILTERS = ("v1", "v2", "none")
_GOOD_ENOUGH, _BAD, _SLOW = 0.9, 2 / 3, 0.2


def keeps(name: str, step: int, columns: dict[str, np.ndarray], driven: int) -> bool:
    """Return whether a decision is used.

    `v1`: some plan would have been good and the driven one was bad, or clean but hardly moved. `v2`: the first decision
    of a rollout only, where the ego is still where the log had it. `none`: all.

    Args:
        name: one of `FILTERS`.
        step: number of the decision in its rollout.
        columns: (K,) rewards by name; unknown ones are NaN, which no rule lets pass.
        driven: plan that was driven, -1 if it is none of the vocabulary.
    """
    score = columns["score"]
    if np.isnan(score).any():
        return False
    if name == "none":
        return True
    if name == "v2":
        return step == 0
    if driven < 0 or score.max() < _GOOD_ENOUGH:
        return False
    clean = all(columns[c][driven] == 1 for c in ("drivable_area_compliance", "no_at_fault_collisions"))
    return bool(score[driven] <= _BAD or (clean and columns["ego_progress"][driven] < _SLOW))
